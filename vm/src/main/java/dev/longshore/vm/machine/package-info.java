/**
 * The guest as a process: command lines of the machines, the choice among them, start, console, stop and death with the
 * daemon. Called by the daemon, which has the devices' sockets listening before it starts a machine; knows neither the
 * devices nor the agent.
 */
@NullMarked
package dev.longshore.vm.machine;

import org.jspecify.annotations.NullMarked;
