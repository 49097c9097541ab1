// The values of a segment's state; a test compares them with those of palette.py.

export const HOLDING = 0
export const RUNNING = 1
export const WAITING_GIL = 2
export const WAITING_LOCK = 3
export const BLOCKED = 4
export const STOPPED = 5
/** A lane of callbacks, where there is one. */
export const CALLBACK = 6
/** A lane of callbacks, where all of them wait to get in. */
export const ENTERING = 7
/** Lanes of locks and callbacks, elsewhere. */
export const NOTHING = 8

/** Values of a thread's states. */
export const STATES = [HOLDING, RUNNING, WAITING_GIL, WAITING_LOCK, BLOCKED, STOPPED]
