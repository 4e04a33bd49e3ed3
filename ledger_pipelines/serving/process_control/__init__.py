"""Building blocks of `ledger up`: managed processes, the instance lock, ports, interrupts."""
