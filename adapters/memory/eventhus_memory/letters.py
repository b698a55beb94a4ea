"""Dead letters in memory."""

from __future__ import annotations

from itertools import islice

from attrs import evolve

from eventhus.ports import DeadLetter, Message


class Letters:
    """The dead letters of some groups, which live as long as the object."""

    def __init__(self) -> None:
        # By group, then by id and body, which tell a letter that is buried again.
        self._letters: dict[str, dict[tuple[str, bytes], DeadLetter]] = {}
        self._added = 0

    @property
    def groups(self) -> list[str]:
        """The names of the groups that have letters."""
        return [group for group, letters in self._letters.items() if letters]

    def add(self, group: str, message: Message) -> None:
        """Add a message to the letters of a group, unless one has the same id and body."""
        letters = self._letters.setdefault(group, {})
        if (message.id, message.body) in letters:
            return
        self._added += 1
        letters[message.id, message.body] = DeadLetter(
            message=evolve(message, headers={**message.headers}), number=self._added
        )

    def of(self, group: str, *, after: int, limit: int | None = None) -> list[DeadLetter]:
        """Return the letters of a group after a number, oldest first."""
        letters = self._letters.get(group, {}).values()
        return [*islice((letter for letter in letters if letter.number > after), limit)]

    def remove(self, group: str, number: int) -> None:
        """Remove a letter, if it is there."""
        letters = self._letters.get(group, {})
        for key, letter in letters.items():
            if letter.number == number:
                del letters[key]
                return
