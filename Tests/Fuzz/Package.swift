// swift-tools-version: 6.2
import PackageDescription

// Random and coverage-guided inputs for everything that reads bytes of a peer. A package of its own, so that no user
// of the library ever compiles it; `Tests/Fuzz/run.sh` says how it is used.

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes")
]

let package = Package(
    name: "nexa-fuzz",
    dependencies: [.package(name: "nexa", path: "../..")],
    targets: [
        .target(name: "CFuzzer"),
        .target(
            name: "FuzzTargets",
            dependencies: [
                .product(name: "NexaCore", package: "nexa"), .product(name: "NexaClient", package: "nexa"),
                .product(name: "NexaTLS", package: "nexa")
            ],
            swiftSettings: swiftSettings),
        .executableTarget(name: "nexa-fuzz", dependencies: ["FuzzTargets", "CFuzzer"], swiftSettings: swiftSettings)
    ],
    swiftLanguageModes: [.v6]
)
