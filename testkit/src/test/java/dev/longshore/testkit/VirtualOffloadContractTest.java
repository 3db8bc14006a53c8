package dev.longshore.testkit;

/** A virtual link whose guest segments and completes checksums itself. */
class VirtualOffloadContractTest extends VirtualLinkContractTest {
    @Override
    boolean offloads() {
        return true;
    }
}
