// swift-tools-version: 6.2
import PackageDescription

// The client library. A package that depends on it by version resolves only the targets below the
// products: `Server` and `Shell` are dependencies of test targets, so nobody else ever builds them.

let commonSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableExperimentalFeature("Lifetimes")
]
// `make sanitize` sets NEXA_TSAN: the locks are then ones that the thread sanitizer understands (SanitizedMutex).
let swiftSettings =
    commonSettings
    + (Context.environment["NEXA_TSAN"] == nil
        ? [.enableUpcomingFeature("MemberImportVisibility")] : [.define("NEXA_TSAN")])

// And NEXA_ASAN: what is meant to live until the exit is no leak then.
let systemSettings: [CSetting] = Context.environment["NEXA_ASAN"] == nil ? [] : [.define("NEXA_ASAN")]

let package = Package(
    name: "nexa",
    products: [
        .library(name: "NexaClient", targets: ["NexaClient"]),
        .library(name: "NexaTestSupport", targets: ["NexaTestSupport"]),
        .library(name: "NexaTLS", targets: ["NexaTLS"]),
        .library(name: "NexaCore", targets: ["NexaValue", "NexaTOON", "NexaProtocol", "NexaSCRAM", "NexaTransport"]),
        // For the programs: their manual pages and completions.
        .library(name: "NexaManual", targets: ["NexaManual"])
    ],
    traits: [
        .trait(name: "TLS", description: "Encrypted connections, with OpenSSL 3 (libssl-dev)")
    ],
    dependencies: [
        .package(name: "nexa-server", path: "Server"),
        .package(name: "nexa-shell", path: "Shell")
    ],
    targets: [
        .target(name: "NexaValue", swiftSettings: swiftSettings),
        .target(name: "NexaManual", swiftSettings: swiftSettings),
        .target(name: "NexaTOON", dependencies: ["NexaValue"], swiftSettings: swiftSettings),
        .target(name: "NexaProtocol", dependencies: ["NexaValue"], swiftSettings: swiftSettings),
        // OpenSSL is linked into programs that ask for the trait TLS, and into no other.
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .target(name: "NexaTLS", dependencies: ["COpenSSL", "NexaTransport"], swiftSettings: swiftSettings),
        .target(name: "CNexaDigest"),
        .target(name: "NexaSCRAM", dependencies: ["CNexaDigest"], swiftSettings: swiftSettings),
        .target(name: "CNexaSystem", cSettings: systemSettings),
        .target(
            name: "NexaTransport", dependencies: ["NexaProtocol", "CNexaSystem"], swiftSettings: swiftSettings),
        .target(
            name: "NexaClient",
            dependencies: [
                "NexaValue", "NexaTOON", "NexaProtocol", "NexaSCRAM", "NexaTransport",
                .target(name: "NexaTLS", condition: .when(traits: ["TLS"]))
            ],
            swiftSettings: swiftSettings),
        .target(
            name: "NexaTestSupport", dependencies: ["NexaValue", "NexaProtocol", "NexaTransport"],
            swiftSettings: swiftSettings),

        // What the tests of all modules share. It needs the transport for its lock under the thread sanitizer only.
        .target(
            name: "TestKit", dependencies: ["NexaTransport"], path: "Tests/TestKit", swiftSettings: swiftSettings),
        .testTarget(name: "NexaValueTests", dependencies: ["NexaValue", "TestKit"], swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaTOONTests", dependencies: ["NexaTOON", "NexaValue", "TestKit"], swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaProtocolTests", dependencies: ["NexaProtocol", "NexaValue", "NexaTestSupport", "TestKit"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaTLSTests",
            dependencies: [
                "NexaTLS", "NexaClient", "NexaTestSupport", "NexaTransport", "NexaProtocol", "NexaValue", "TestKit",
                .product(name: "NexaServer", package: "nexa-server"),
                .product(name: "NexaEngine", package: "nexa-server")
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaSCRAMTests", dependencies: ["NexaSCRAM", "CNexaDigest", "TestKit"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaTransportTests", dependencies: ["NexaTransport", "NexaProtocol", "CNexaSystem", "TestKit"],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaClientTests",
            dependencies: [
                "NexaClient", "NexaTOON", "NexaSCRAM", "NexaTestSupport", "NexaValue", "TestKit",
                .product(name: "NexaServer", package: "nexa-server")
            ],
            swiftSettings: swiftSettings),
        // The code of the articles in Sources/NexaClient/NexaClient.docc.
        .testTarget(
            name: "DocumentationTests",
            dependencies: [
                "NexaClient", "NexaTestSupport", "TestKit", .product(name: "NexaServer", package: "nexa-server")
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaStorageTests",
            dependencies: ["NexaTransport", "TestKit", .product(name: "NexaEngine", package: "nexa-server")],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaQueryTests",
            dependencies: ["NexaValue", "TestKit", .product(name: "NexaEngine", package: "nexa-server")],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaVectorTests",
            dependencies: ["NexaTransport", "TestKit", .product(name: "NexaVector", package: "nexa-server")],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaEngineTests",
            dependencies: [
                "NexaValue", "NexaSCRAM", "NexaTransport", "TestKit",
                .product(name: "NexaEngine", package: "nexa-server")
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaServerTests",
            dependencies: [
                "NexaValue", "NexaTOON", "NexaProtocol", "NexaSCRAM", "NexaTransport", "TestKit",
                .product(name: "NexaServer", package: "nexa-server"),
                .product(name: "NexaEngine", package: "nexa-server")
            ],
            swiftSettings: swiftSettings),
        .testTarget(
            name: "NexaShellTests",
            dependencies: [
                "NexaValue", "NexaTransport", "NexaClient", "PTYKit", "TestKit",
                .product(name: "NexaShell", package: "nexa-shell"), .product(name: "NexaEngine", package: "nexa-server")
            ],
            swiftSettings: swiftSettings),
        .target(name: "CPTYKit", path: "Tests/CPTYKit", linkerSettings: [.linkedLibrary("util")]),
        .target(name: "PTYKit", dependencies: ["CPTYKit"], path: "Tests/PTYKit", swiftSettings: swiftSettings),
        .testTarget(
            name: "TerminalTests",
            dependencies: [
                "PTYKit", "TestKit", .product(name: "nexa", package: "nexa-shell"),
                .product(name: "nexadb", package: "nexa-server")
            ],
            path: "Tests/Terminal", exclude: ["Transcripts", "coverage.txt"], swiftSettings: swiftSettings),
        .testTarget(
            name: "FirstHourTests",
            dependencies: [
                "NexaValue", "PTYKit", "TestKit", .product(name: "nexa", package: "nexa-shell"),
                .product(name: "nexadb", package: "nexa-server")
            ],
            path: "Tests/FirstHour", swiftSettings: swiftSettings)
    ],
    swiftLanguageModes: [.v6]
)
