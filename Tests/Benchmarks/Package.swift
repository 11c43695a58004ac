// swift-tools-version: 6.2
import PackageDescription

// The comparison with Redis and PostgreSQL that `make bench` runs, that of the client with a plain socket, which
// `make bench-client` runs, that of the engine with PostgreSQL's jsonb, which `make bench-engine` runs, and that of
// vector indexes with hnswlib, usearch and Faiss, which `make bench-vectors` runs. A package of its own, so that
// neither a user of the library nor the build of the server ever compiles it.

let swiftSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableExperimentalFeature("Lifetimes")
]

let package = Package(
    name: "nexa-benchmarks",
    products: [
        .executable(name: "nexa-bench", targets: ["nexa-bench"]),
        .executable(name: "nexa-client-bench", targets: ["nexa-client-bench"]),
        .executable(name: "nexa-engine-bench", targets: ["nexa-engine-bench"]),
        .executable(name: "nexa-vector-bench", targets: ["nexa-vector-bench"])
    ],
    dependencies: [
        .package(name: "nexa", path: "../.."), .package(name: "nexa-server", path: "../../Server")
    ],
    targets: [
        .target(
            name: "NexaBenchmark", dependencies: [.product(name: "NexaCore", package: "nexa")],
            swiftSettings: swiftSettings),
        .executableTarget(name: "nexa-bench", dependencies: ["NexaBenchmark"], swiftSettings: swiftSettings),
        // Counts what the whole process allocates, so it belongs to this program only.
        .target(name: "CClientBench"),
        .executableTarget(
            name: "nexa-client-bench",
            dependencies: [
                "NexaBenchmark", "CClientBench", .product(name: "NexaCore", package: "nexa"),
                .product(name: "NexaClient", package: "nexa")
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "nexa-engine-bench",
            dependencies: [
                "NexaBenchmark", .product(name: "NexaCore", package: "nexa"),
                .product(name: "NexaClient", package: "nexa")
            ],
            swiftSettings: swiftSettings),
        .executableTarget(
            name: "nexa-vector-bench",
            dependencies: [
                "NexaBenchmark", .product(name: "NexaVector", package: "nexa-server"),
                .product(name: "NexaClient", package: "nexa"), .product(name: "NexaCore", package: "nexa")
            ],
            swiftSettings: swiftSettings),
        .testTarget(name: "NexaBenchmarkTests", dependencies: ["NexaBenchmark"], swiftSettings: swiftSettings)
    ],
    swiftLanguageModes: [.v6]
)
