// swift-tools-version: 6.2
import PackageDescription

// TOON against the official Python implementation. A package of its own, so that no user of the library ever compiles
// it; `Tests/TOON/run.sh` says how it is used.

let package = Package(
    name: "nexa-toon",
    dependencies: [.package(name: "nexa", path: "../..")],
    targets: [
        .executableTarget(
            name: "nexa-toon", dependencies: [.product(name: "NexaCore", package: "nexa")],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
                .enableExperimentalFeature("Lifetimes")
            ])
    ],
    swiftLanguageModes: [.v6]
)
