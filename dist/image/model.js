/**
 * To be raised when an image or a layer gets other bytes than before: what was remembered of the old ones counts no
 * more.
 */
export const writerVersion = 1
