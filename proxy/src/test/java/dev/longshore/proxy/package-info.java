/** Raw bytes in, raw bytes out. */
@NullMarked
package dev.longshore.proxy;

import org.jspecify.annotations.NullMarked;
