def begin(
    folder: str,
    large: int,
    medium: int,
    heap: int,
    anonymous: int,
    resident: int,
    files: int,
    /,
) -> object: ...
def end(before: object, /) -> None: ...
def figures() -> tuple[int, int, int]: ...
