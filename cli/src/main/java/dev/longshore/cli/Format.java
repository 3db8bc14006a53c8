package dev.longshore.cli;

/** How a command shows what it found; the constants are as the user writes them. */
@SuppressWarnings("MemberName") // picocli shows and reads the constants' own names
enum Format {
    /** For people. */
    text,
    /** For programs. */
    json
}
