package dev.longshore.backend;

import static com.tngtech.archunit.core.domain.JavaClass.Predicates.belongToAnyOf;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAPackage;
import static com.tngtech.archunit.core.domain.JavaClass.Predicates.resideInAnyPackage;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.fields;
import static com.tngtech.archunit.lang.syntax.ArchRuleDefinition.noClasses;
import static com.tngtech.archunit.library.Architectures.layeredArchitecture;
import static com.tngtech.archunit.library.dependencies.SlicesRuleDefinition.slices;

import com.tngtech.archunit.core.importer.ImportOption;
import com.tngtech.archunit.junit.AnalyzeClasses;
import com.tngtech.archunit.junit.ArchTest;
import com.tngtech.archunit.lang.ArchRule;
import dev.longshore.vpnkit.flow.ContainerDirectory;
import dev.longshore.vpnkit.flow.ContainerIdentity;

/** The picture of who may import whom, held to the code: imports point towards the wire. */
@AnalyzeClasses(packages = "dev.longshore", importOptions = ImportOption.DoNotIncludeTests.class)
class ArchitectureTest {
    @ArchTest
    static final ArchRule modules_importOnlyWhatThePictureAllows = layeredArchitecture()
            .consideringOnlyDependenciesInAnyPackage("dev.longshore..")
            .withOptionalLayers(true)
            .layer("packet")
            .definedBy("dev.longshore.packet..")
            .layer("config")
            .definedBy("dev.longshore.config..")
            .layer("proto")
            .definedBy("dev.longshore.proto..")
            .layer("linux")
            .definedBy("dev.longshore.linux..")
            .layer("link")
            .definedBy("dev.longshore.link..")
            .layer("virtio")
            .definedBy("dev.longshore.virtio..")
            .layer("fileshare")
            .definedBy("dev.longshore.fileshare..")
            .layer("vpnkit")
            .definedBy("dev.longshore.vpnkit..")
            .layer("portforward")
            .definedBy("dev.longshore.portforward..")
            .layer("proxy")
            .definedBy("dev.longshore.proxy..")
            .layer("policy")
            .definedBy("dev.longshore.policy..")
            .layer("engine")
            .definedBy("dev.longshore.engine..")
            .layer("vm")
            .definedBy("dev.longshore.vm..")
            .layer("control")
            .definedBy("dev.longshore.control..")
            .layer("backend")
            .definedBy("dev.longshore.backend..")
            .whereLayer("packet")
            .mayNotAccessAnyLayer()
            .whereLayer("config")
            .mayNotAccessAnyLayer()
            .whereLayer("proto")
            .mayNotAccessAnyLayer()
            .whereLayer("linux")
            .mayNotAccessAnyLayer()
            .whereLayer("link")
            .mayOnlyAccessLayers("packet", "linux")
            .whereLayer("virtio")
            .mayOnlyAccessLayers("packet", "linux")
            .whereLayer("fileshare")
            .mayOnlyAccessLayers("virtio", "linux", "config")
            .whereLayer("vpnkit")
            .mayOnlyAccessLayers("packet", "linux", "config")
            .whereLayer("portforward")
            .mayOnlyAccessLayers("vpnkit", "packet", "config")
            .whereLayer("proxy")
            .mayOnlyAccessLayers("vpnkit", "packet", "config")
            .whereLayer("policy")
            .mayOnlyAccessLayers("vpnkit", "packet", "config")
            .whereLayer("engine")
            .mayOnlyAccessLayers("portforward", "vpnkit", "packet", "config")
            .whereLayer("vm")
            .mayOnlyAccessLayers("virtio", "config")
            .whereLayer("control")
            .mayOnlyAccessLayers("proto", "config")
            .whereLayer("backend")
            .mayNotBeAccessedByAnyLayer();

    @ArchTest
    static final ArchRule proxyAndEngine_knowOfVpnkitOnlyTheHostsSideOfAFlow_andTheContractForNames = noClasses()
            .that()
            .resideInAnyPackage("dev.longshore.proxy..", "dev.longshore.engine..")
            .should()
            .dependOnClassesThat(resideInAPackage("dev.longshore.vpnkit..")
                    .and(com.tngtech.archunit.base.DescribedPredicate.not(
                            resideInAPackage("dev.longshore.vpnkit.hostsocket..")))
                    .and(com.tngtech.archunit.base.DescribedPredicate.not(
                            belongToAnyOf(ContainerDirectory.class, ContainerIdentity.class))));

    @ArchTest
    static final ArchRule packagesOfVpnkit_haveNoCycles =
            slices().matching("dev.longshore.vpnkit.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule packagesOfVirtio_haveNoCycles =
            slices().matching("dev.longshore.virtio.(*)..").should().beFreeOfCycles();

    @ArchTest
    static final ArchRule systemCalls_areMadeInOnePackage = noClasses()
            .that()
            .resideOutsideOfPackages("dev.longshore.linux..", "dev.longshore.fileshare.os..")
            .should()
            .dependOnClassesThat()
            .haveFullyQualifiedName("java.lang.foreign.Linker");

    @ArchTest
    static final ArchRule onlyTheControlApiAndItsClients_knowGrpc = noClasses()
            .that()
            .resideOutsideOfPackages("dev.longshore.control..", "dev.longshore.proto..")
            .should()
            .dependOnClassesThat(resideInAnyPackage("io.grpc..", "com.google.protobuf.."));

    @ArchTest
    static final ArchRule staticFields_areFinal = fields().that()
            .areStatic()
            .and()
            .areDeclaredInClassesThat(resideInAnyPackage("dev.longshore..")
                    .and(com.tngtech.archunit.base.DescribedPredicate.not(resideInAPackage("dev.longshore.proto.."))))
            .and()
            .doNotHaveName("$assertionsDisabled")
            .should()
            .beFinal();

    @ArchTest
    static final ArchRule nothing_printsOrSleeps = noClasses()
            .that()
            .resideInAnyPackage(
                    "dev.longshore.vpnkit..",
                    "dev.longshore.virtio..",
                    "dev.longshore.packet..",
                    "dev.longshore.linux..",
                    "dev.longshore.link..")
            .should()
            .callMethod(Thread.class, "sleep", long.class)
            .orShould()
            .accessField(System.class, "out")
            .orShould()
            .accessField(System.class, "err");
}
