/** The line that ends what was printed for one request: nothing else prints a NUL. */
export const endOfWords = '\0'
