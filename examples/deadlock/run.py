"""Let one thread deposit while another one reads the balance: deadlocks under the GIL.

Prints the balance, if it comes to that.
"""

from __future__ import annotations

import argparse
import threading

import deadlock


def positive(text: str) -> int:
    """Parse a whole number of at least 1."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def parse() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.ArgumentDefaultsHelpFormatter
    )
    add = parser.add_argument
    add("--deposits", type=positive, default=100, help="the first one deadlocks nearly always")
    add("--fixed", action="store_true", help="read the balance without the GIL: no deadlock")
    return parser.parse_args()


def main() -> None:
    """Read the balance whenever a deposit is under way."""
    options = parse()
    listening, reading = threading.Semaphore(0), threading.Semaphore(0)

    def listener(_balance: int) -> None:
        """Hear of a deposit: the mutex is held here."""
        listening.release()
        reading.acquire()

    account = deadlock.Account(listener)
    read = account.balance_without_gil if options.fixed else account.balance

    for _ in range(options.deposits):
        teller = threading.Thread(target=account.deposit, args=(1,), name="teller")
        teller.start()
        listening.acquire()
        reading.release()
        read()
        teller.join()
    print(f"balance {account.balance()}")


if __name__ == "__main__":
    main()
