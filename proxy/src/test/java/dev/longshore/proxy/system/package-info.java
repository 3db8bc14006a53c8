@NullMarked
package dev.longshore.proxy.system;

import org.jspecify.annotations.NullMarked;
