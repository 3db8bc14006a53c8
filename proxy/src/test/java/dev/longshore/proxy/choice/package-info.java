@NullMarked
package dev.longshore.proxy.choice;

import org.jspecify.annotations.NullMarked;
