@NullMarked
package dev.longshore.policy;

import org.jspecify.annotations.NullMarked;
