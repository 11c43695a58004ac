// swift-tools-version: 6.2
import PackageDescription

// The comparison with Redis and PostgreSQL that `make bench` runs. A package of its own, so that neither
// a user of the library nor the build of the server ever compiles it.

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes")
]

let package = Package(
    name: "nexa-benchmarks",
    products: [.executable(name: "nexa-bench", targets: ["nexa-bench"])],
    dependencies: [.package(name: "nexa", path: "../..")],
    targets: [
        .target(
            name: "NexaBenchmark", dependencies: [.product(name: "NexaCore", package: "nexa")],
            swiftSettings: swiftSettings),
        .executableTarget(name: "nexa-bench", dependencies: ["NexaBenchmark"], swiftSettings: swiftSettings),
        .testTarget(name: "NexaBenchmarkTests", dependencies: ["NexaBenchmark"], swiftSettings: swiftSettings)
    ],
    swiftLanguageModes: [.v6]
)
