@NullMarked
package dev.longshore.proxy.pac;

import org.jspecify.annotations.NullMarked;
