"""Faults in `data_pencatatan`. Rows added here have a bill of 0: the application never billed them."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from ledger_pipelines.demo.accounts import DemoDeposit, DemoReading, UserRef
from ledger_pipelines.demo.faults.context import FaultContext
from ledger_pipelines.demo.plan import DAY

MISTYPED_VOLUME = 12_011_212
STAFF_MEMBER = UserRef("4", "Akun Demo")
UNKNOWN_CUSTOMER = UserRef("999999999", "PT Tidak Terdaftar")


def twice_encoded_reading(context: FaultContext) -> int:
    """Encode `data_input` as JSON twice."""
    for reading in context.middle_reading():
        reading.encoded_twice = True
    return len(context.middle_reading())


def numbers_as_strings(context: FaultContext) -> int:
    """Write meter states and volume as strings."""
    for reading in context.middle_reading():
        reading.opening, reading.closing = f'"{reading.opening}"', f'"{reading.closing}"'
        reading.volume = f'"{reading.volume}"'
    return len(context.middle_reading())


def integers_and_floats(context: FaultContext) -> int:
    """Write the opening state as an integer, and the volume with three decimals."""
    for reading in context.middle_reading():
        reading.opening = reading.opening.partition(".")[0]
        reading.volume = f"{Decimal(reading.closing) - Decimal(reading.opening):.3f}"
    return len(context.middle_reading())


def blank_for_t(context: FaultContext) -> int:
    """Write a meter reading's timestamps with a blank instead of the `T`."""
    for reading in context.middle_reading():
        reading.moment, reading.closed_at = reading.moment.replace("T", " "), reading.closed_at.replace("T", " ")
    return len(context.middle_reading())


def without_seconds(context: FaultContext) -> int:
    """Write a meter reading's timestamps without seconds."""
    for reading in context.middle_reading():
        reading.moment, reading.closed_at = reading.moment[:16], reading.closed_at[:16]
    return len(context.middle_reading())


def with_seconds(context: FaultContext) -> int:
    """Write a delivery's timestamp with a `T` and seconds, unlike those of other deliveries."""
    for reading in context.middle_reading():
        reading.moment = f"{reading.moment.replace(' ', 'T')}:00"
    return len(context.middle_reading())


def unparsable_moment(context: FaultContext) -> int:
    """Date a reading on 30 February."""
    for reading in context.middle_reading():
        reading.moment = f"{reading.moment[:5]}02-30{reading.moment[10:]}"
    return len(context.middle_reading())


def zero_volume(context: FaultContext) -> int:
    """Add a reading with equal opening and closing states."""
    return context.add_readings(_extra_reading(context, context.account.owner, "8814.2", "8814.2", "0"))


def mistyped_meter(context: FaultContext) -> int:
    """Mistype a closing state: the reading has 12,011,212 m³ and is billed.

    The distributor credits the excess on the next day, because no customer pays for gas that did not flow. The mistake
    is in the first half of a month, so that the month's closing balance is normal.
    """
    middle = len(context.account.readings) // 2
    early = [reading for reading in context.account.readings[middle:] if reading.moment[8:10] < "15"][:1]
    for reading in early:
        bill = reading.bill * MISTYPED_VOLUME / float(reading.volume)
        excess = int(bill - reading.bill)
        reading.bill = bill
        reading.closing = str(Decimal(reading.opening) + MISTYPED_VOLUME)
        reading.volume = str(MISTYPED_VOLUME)
        credited_at = (reading.ends // DAY + 1) * DAY + 10 * 3600
        if credited_at <= context.timeline.until:
            moment = context.timeline.text(credited_at)
            context.add_deposit(DemoDeposit(moment, str(excess), excess * 100, description="Koreksi salah catat meter"))
    return len(early)


def negative_volume(context: FaultContext) -> int:
    """Add a reading with swapped meter states."""
    return context.add_readings(
        _extra_reading(context, context.account.owner, "12205.49", "11947.58", "-257.90999999999985")
    )


def text_for_volume(context: FaultContext) -> int:
    """Add a reading whose volume has a decimal comma."""
    return context.add_readings(_extra_reading(context, context.account.owner, "11947.58", "12205.49", '"257,91"'))


def same_start(context: FaultContext) -> int:
    """Add a copy of a reading with the same start and other meter states."""
    return context.add_readings(
        [
            replace(reading, opening="8814.2", closing="9071.75", volume="257.55", bill=0.0)
            for reading in context.middle_reading()
        ]
    )


def fob_reading_of_metered(context: FaultContext) -> int:
    """Add a fob delivery to a metered customer."""
    return context.add_readings(
        [
            replace(reading, moment=reading.moment[:16].replace("T", " "), volume='"150"', bill=0.0, is_fob=True)
            for reading in context.middle_reading()
        ]
    )


def metered_reading_of_fob(context: FaultContext) -> int:
    """Add a meter reading to a fob customer."""
    return context.add_readings(_extra_reading(context, context.account.owner))


def reading_of_staff(context: FaultContext) -> int:
    """Add a reading of a user who is not a customer."""
    return context.add_readings(_extra_reading(context, STAFF_MEMBER))


def reading_of_nobody(context: FaultContext) -> int:
    """Add a reading of a deleted user."""
    return context.add_readings(_extra_reading(context, UNKNOWN_CUSTOMER))


def reading_in_the_next_month(context: FaultContext) -> int:
    """Add a reading dated in the next month: the only row in the future."""
    return context.add_readings(_extra_reading_at(context, context.timeline.after.starts + 4 * DAY + 9 * 3600))


def reading_before_the_first_month(context: FaultContext) -> int:
    """Add a reading from before the first month."""
    return context.add_readings(_extra_reading_at(context, context.timeline.before.starts + 19 * DAY + 9 * 3600))


def months_without_readings(context: FaultContext) -> int:
    """Remove up to two months of readings; the next reading includes their consumption."""
    account = context.account
    between = sorted({reading.moment[:7] for reading in account.readings})[1:-1]
    skipped = between[len(between) // 3 :][:2]
    account.readings = [reading for reading in account.readings if reading.moment[:7] not in skipped]
    if skipped and not account.is_fob:
        last = [place for place, reading in enumerate(account.readings) if reading.moment[:7] < skipped[0]][-1]
        before, after = account.readings[last : last + 2]
        used = Decimal(after.closing) - Decimal(before.closing)
        after.bill *= float(used) / float(after.volume)
        after.opening, after.volume = before.closing, str(used)
    context.replace_deposits()
    return len(skipped)


def _extra_reading(
    context: FaultContext, owner: UserRef, opening: str = "1204.5", closing: str = "1462.41", volume: str = "257.91"
) -> Sequence[DemoReading]:
    """Return a meter reading that starts half a minute away from an existing one."""
    second = "00" if context.account.is_fob else "30"
    starts = [
        (reading, f"{reading.moment[:10]}T{reading.moment[11:16]}:{second}") for reading in context.middle_reading()
    ]
    return [
        replace(
            reading,
            owner=owner,
            moment=start,
            closed_at=reading.closed_at or start,
            opening=opening,
            closing=closing,
            volume=volume,
            bill=0.0,
            is_fob=False,
        )
        for reading, start in starts
    ]


def _extra_reading_at(context: FaultContext, start: int) -> Sequence[DemoReading]:
    """Return a small meter reading that starts at the given second and ends a week later."""
    moment, closed_at = context.timeline.text(start, "T"), context.timeline.text(start + 7 * DAY, "T")
    extra = _extra_reading(context, context.account.owner)
    return [replace(reading, moment=moment, closed_at=closed_at) for reading in extra]
