"""Which tests decide whether an instruction is reached: control dependence."""

from __future__ import annotations


class Graph:
    """The instructions of a function and what can follow each; by number.

    Attributes:
        following: What can follow each instruction.
        tests: What the test of a branch depends on, as bits.
        caught: The same for the beginning of an exception's handler.
    """

    def __init__(
        self, following: list[list[int]], tests: dict[int, int], caught: dict[int, int]
    ) -> None:
        self.following = following
        self.tests = tests
        self.caught = caught
        self.starts = self._block_starts()
        self.block_of = self._number_blocks()
        self.after = self._block_edges()

    def _block_starts(self) -> list[int]:
        starts = {0, *self.caught}
        for i, after in enumerate(self.following):
            if after != [i + 1]:
                starts.update(after)
                starts.add(i + 1)
        return sorted(start for start in starts if start < len(self.following))

    def _number_blocks(self) -> list[int]:
        numbers, number = [], -1
        starts = set(self.starts)
        for i in range(len(self.following)):
            number += i in starts
            numbers.append(number)
        return numbers

    def _last(self, block: int) -> int:
        ends = [*self.starts[1:], len(self.following)]
        return ends[block] - 1

    def _block_edges(self) -> list[list[int]]:
        edges = [
            [self.block_of[j] for j in self.following[self._last(block)]]
            for block in range(len(self.starts))
        ]
        self._open_endless_loops(edges)
        return edges

    def _open_endless_loops(self, edges: list[list[int]]) -> None:
        """Let loops that never end be left where they jump back."""
        end = len(edges)
        before: dict[int, list[int]] = {}
        for block, after in enumerate(edges):
            for other in after or [end]:
                before.setdefault(other, []).append(block)
        ends = {end}
        work = [end]
        while work:
            for block in before.get(work.pop(), []):
                if block not in ends:
                    ends.add(block)
                    work.append(block)
        for block, after in enumerate(edges):
            if block not in ends and any(other <= block for other in after):
                after.append(end)

    def _post_dominators(self) -> list[int]:
        """Return for each block, as bits, those that every way from it to the end leads through."""
        count = len(self.after)
        everything = (2 << count) - 1
        found = [everything] * count + [1 << count]
        changed = True
        while changed:
            changed = False
            for block in reversed(range(count)):
                common = everything
                for other in self.after[block] or [count]:
                    common &= found[other]
                common |= 1 << block
                if common != found[block]:
                    found[block] = common
                    changed = True
        return found

    def guards(self) -> dict[int, int]:
        """Return what decides, as bits, whether each instruction is reached."""
        count = len(self.after)
        dominators = self._post_dominators()
        masks = [0] * count
        for start, mask in self.caught.items():
            masks[self.block_of[start]] |= mask
        depends: list[list[int]] = [[] for _ in range(count)]
        for branch in range(count):
            after = self.after[branch]
            if len(after) < 2:  # noqa: PLR2004 - a branch has two ways
                continue
            for block in range(count):
                strictly = block != branch and dominators[branch] >> block & 1
                if not strictly and any(dominators[way] >> block & 1 for way in after):
                    depends[block].append(branch)
        self._spread(masks, depends)
        return {i: masks[self.block_of[i]] for i in range(len(self.following))}

    def _spread(self, masks: list[int], depends: list[list[int]]) -> None:
        """Take in what the branches' own blocks depend on, and what follows handlers."""
        changed = True
        while changed:
            changed = False
            for block, branches in enumerate(depends):
                mask = masks[block]
                for branch in branches:
                    mask |= masks[branch] | self.tests.get(self._last(branch), 0)
                changed |= mask != masks[block]
                masks[block] = mask
            changed |= self._follow_handlers(masks)

    def _follow_handlers(self, masks: list[int]) -> bool:
        """Blocks that only a handler leads to are reached when it is."""
        changed = False
        before: dict[int, list[int]] = {}
        for block, after in enumerate(self.after):
            for other in after:
                before.setdefault(other, []).append(block)
        handlers = {self.block_of[start] for start in self.caught}
        inside = set(handlers)
        for block in range(len(self.after)):
            leads = before.get(block, [])
            if block in inside or not leads or any(other not in inside for other in leads):
                continue
            inside.add(block)
            mask = masks[block]
            for other in leads:
                mask |= masks[other]
            changed |= mask != masks[block]
            masks[block] = mask
        return changed

    def loop_tests(self) -> list[int]:
        """Return the branches that lead back, or out of a loop that goes on behind them."""
        found = []
        for block, after in enumerate(self.after):
            last = self._last(block)
            if len(after) > 1 and last in self.tests and self._is_in_loop(block):
                found.append(last)
        return found

    def _is_in_loop(self, block: int) -> bool:
        """Whether one way of the branch leads back to it and another one does not."""
        ways = [self._reaches(way, block) for way in self.after[block] if way < len(self.after)]
        return any(ways) and not all(ways)

    def _reaches(self, block: int, target: int) -> bool:
        seen, work = {block}, [block]
        while work:
            current = work.pop()
            if current == target:
                return True
            for other in self.after[current]:
                if other < len(self.after) and other not in seen:
                    seen.add(other)
                    work.append(other)
        return False
