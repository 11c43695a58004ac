// swift-tools-version: 6.2
import PackageDescription

// The engine against an independent implementation of MongoDB's semantics. A package of its own, so that no user of
// the library ever compiles it; `Tests/Differential/run.sh` says how it is used.

let package = Package(
    name: "nexa-differential",
    dependencies: [
        .package(name: "nexa", path: "../.."), .package(name: "nexa-server", path: "../../Server")
    ],
    targets: [
        .executableTarget(
            name: "nexa-differential",
            dependencies: [
                .product(name: "NexaCore", package: "nexa"), .product(name: "NexaEngine", package: "nexa-server")
            ],
            swiftSettings: [
                .enableUpcomingFeature("ExistentialAny"), .enableUpcomingFeature("MemberImportVisibility"),
                .enableExperimentalFeature("Lifetimes")
            ])
    ],
    swiftLanguageModes: [.v6]
)
