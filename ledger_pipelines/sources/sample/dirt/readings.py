"""Faults in `data_pencatatan`. Rows that are added here have a bill of 0: the application never billed them."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal

from ledger_pipelines.sources.sample.accounts import Deposit, Owner, Reading
from ledger_pipelines.sources.sample.dirt.case import Case
from ledger_pipelines.sources.sample.plan import DAY

MISTYPED_VOLUME = 12_011_212
STAFF_MEMBER = Owner("4", "Akun Demo")
UNKNOWN_CUSTOMER = Owner("999999999", "PT Tidak Terdaftar")


def twice_encoded_reading(case: Case) -> int:
    """Hold a JSON string that holds the JSON."""
    for reading in case.reading():
        reading.encoded_twice = True
    return len(case.reading())


def numbers_as_strings(case: Case) -> int:
    """Write meter states and volume as strings."""
    for reading in case.reading():
        reading.opening, reading.closing = f'"{reading.opening}"', f'"{reading.closing}"'
        reading.volume = f'"{reading.volume}"'
    return len(case.reading())


def integers_and_floats(case: Case) -> int:
    """Write one state as an integer, the other with a point, and the volume with one that it does not need."""
    for reading in case.reading():
        reading.opening = reading.opening.partition(".")[0]
        reading.volume = f"{Decimal(reading.closing) - Decimal(reading.opening):.3f}"
    return len(case.reading())


def blank_for_t(case: Case) -> int:
    """Write moments with a blank where other meter readings have a `T`."""
    for reading in case.reading():
        reading.moment, reading.closed_at = reading.moment.replace("T", " "), reading.closed_at.replace("T", " ")
    return len(case.reading())


def without_seconds(case: Case) -> int:
    """Write a meter reading's moments to the minute."""
    for reading in case.reading():
        reading.moment, reading.closed_at = reading.moment[:16], reading.closed_at[:16]
    return len(case.reading())


def with_seconds(case: Case) -> int:
    """Write a delivery's moment with a `T` and to the second, unlike other deliveries'."""
    for reading in case.reading():
        reading.moment = f"{reading.moment.replace(' ', 'T')}:00"
    return len(case.reading())


def unparsable_moment(case: Case) -> int:
    """Date a reading on a day that the calendar does not have."""
    for reading in case.reading():
        reading.moment = f"{reading.moment[:5]}02-30{reading.moment[10:]}"
    return len(case.reading())


def zero_volume(case: Case) -> int:
    """Enter the meter's state twice without any gas in between."""
    return case.enter(_strays(case, case.account.owner, "8814.2", "8814.2", "0"))


def mistyped_meter(case: Case) -> int:
    """Type the closing state with too many digits: 12,011,212 m³ at once, and billed.

    The distributor credits the excess on the next day: no customer pays for gas that did not flow. The mistake falls
    into the first half of a month, so that the month's balance is as usual.
    """
    middle = len(case.account.readings) // 2
    early = [reading for reading in case.account.readings[middle:] if reading.moment[8:10] < "15"][:1]
    for reading in early:
        bill = reading.bill * MISTYPED_VOLUME / float(reading.volume)
        excess = int(bill - reading.bill)
        reading.bill = bill
        reading.closing = str(Decimal(reading.opening) + MISTYPED_VOLUME)
        reading.volume = str(MISTYPED_VOLUME)
        noticed = (reading.ends // DAY + 1) * DAY + 10 * 3600
        if noticed <= case.timeline.until:
            moment = case.timeline.text(noticed)
            case.pay(Deposit(moment, str(excess), excess * 100, description="Koreksi salah catat meter"))
    return len(early)


def negative_volume(case: Case) -> int:
    """Swap the two meter states."""
    return case.enter(_strays(case, case.account.owner, "12205.49", "11947.58", "-257.90999999999985"))


def text_for_volume(case: Case) -> int:
    """Write a decimal comma."""
    return case.enter(_strays(case, case.account.owner, "11947.58", "12205.49", '"257,91"'))


def same_start(case: Case) -> int:
    """Enter a reading again, with the same start and another end."""
    return case.enter(
        [replace(reading, opening="8814.2", closing="9071.75", volume="257.55", bill=0.0) for reading in case.reading()]
    )


def fob_reading_of_metered(case: Case) -> int:
    """Bill a metered customer for one delivery by the trailer."""
    return case.enter(
        [
            replace(reading, moment=reading.moment[:16].replace("T", " "), volume='"150"', bill=0.0, is_fob=True)
            for reading in case.reading()
        ]
    )


def metered_reading_of_fob(case: Case) -> int:
    """Enter a meter reading for a customer who has no meter."""
    return case.enter(_strays(case, case.account.owner))


def reading_of_staff(case: Case) -> int:
    """Try the form out under an account that is no customer's."""
    return case.enter(_strays(case, STAFF_MEMBER))


def reading_of_nobody(case: Case) -> int:
    """Keep the reading of a user who was deleted."""
    return case.enter(_strays(case, UNKNOWN_CUSTOMER))


def reading_in_the_next_month(case: Case) -> int:
    """Pick the wrong month in the calendar: the one row that is dated in the future."""
    return case.enter(_moved(case, case.timeline.after.starts + 4 * DAY + 9 * 3600))


def reading_before_the_first_month(case: Case) -> int:
    """Keep a reading from before the time that is being looked at."""
    return case.enter(_moved(case, case.timeline.before.starts + 19 * DAY + 9 * 3600))


def months_without_readings(case: Case) -> int:
    """Skip the meter for up to two months; the next reading takes in what was used meanwhile."""
    account = case.account
    between = sorted({reading.moment[:7] for reading in account.readings})[1:-1]
    gone = between[len(between) // 3 :][:2]
    account.readings = [reading for reading in account.readings if reading.moment[:7] not in gone]
    if gone and not account.is_fob:
        last = [place for place, reading in enumerate(account.readings) if reading.moment[:7] < gone[0]][-1]
        before, after = account.readings[last : last + 2]
        used = Decimal(after.closing) - Decimal(before.closing)
        after.bill *= float(used) / float(after.volume)
        after.opening, after.volume = before.closing, str(used)
    case.pay_again()
    return len(gone)


def _strays(
    case: Case, owner: Owner, opening: str = "1204.5", closing: str = "1462.41", volume: str = "257.91"
) -> Sequence[Reading]:
    """Make a meter reading beside another one, which starts half a minute away from it."""
    second = "00" if case.account.is_fob else "30"
    starts = [(reading, f"{reading.moment[:10]}T{reading.moment[11:16]}:{second}") for reading in case.reading()]
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


def _moved(case: Case, start: int) -> Sequence[Reading]:
    """Make a small meter reading that begins at another second and ends a week later."""
    moment, closed_at = case.timeline.text(start, "T"), case.timeline.text(start + 7 * DAY, "T")
    strays = _strays(case, case.account.owner)
    return [replace(reading, moment=moment, closed_at=closed_at) for reading in strays]
