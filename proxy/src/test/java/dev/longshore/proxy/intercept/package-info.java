@NullMarked
package dev.longshore.proxy.intercept;

import org.jspecify.annotations.NullMarked;
