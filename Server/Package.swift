// swift-tools-version: 6.2
import PackageDescription

let commonSettings: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableExperimentalFeature("Lifetimes")
]
// `make sanitize` sets NEXA_TSAN: the locks are then ones that the thread sanitizer understands (SanitizedMutex).
let swiftSettings =
    commonSettings
    + (Context.environment["NEXA_TSAN"] == nil
        ? [.enableUpcomingFeature("MemberImportVisibility")] : [.define("NEXA_TSAN")])
let core: Target.Dependency = .product(name: "NexaCore", package: "nexa")

let package = Package(
    name: "nexa-server",
    products: [
        .executable(name: "nexadb", targets: ["nexadb"]),
        .library(name: "NexaServer", targets: ["NexaServer"]),
        .library(name: "NexaEngine", targets: ["NexaEngine", "NexaQuery", "NexaStorage", "NexaVector"]),
        .library(name: "NexaVector", targets: ["NexaVector"])
    ],
    dependencies: [.package(name: "nexa", path: "..")],
    targets: [
        .systemLibrary(name: "CRocksDB", pkgConfig: "rocksdb", providers: [.apt(["librocksdb-dev"])]),
        .systemLibrary(name: "CArgon2", pkgConfig: "libargon2", providers: [.apt(["libargon2-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        .target(name: "NexaStorage", dependencies: ["CRocksDB"], swiftSettings: swiftSettings),
        .target(name: "NexaQuery", dependencies: [core, "CPCRE2"], swiftSettings: swiftSettings),
        .target(name: "CNexaVector"),
        .target(name: "NexaVector", dependencies: ["CNexaVector", "NexaStorage"], swiftSettings: swiftSettings),
        .target(
            name: "NexaEngine", dependencies: [core, "NexaStorage", "NexaQuery", "NexaVector", "CArgon2"],
            swiftSettings: swiftSettings),
        .target(
            name: "NexaServer",
            dependencies: [core, "NexaEngine", "NexaVector", .product(name: "NexaTLS", package: "nexa")],
            swiftSettings: swiftSettings),
        .target(name: "CNexaProcess"),
        .executableTarget(
            name: "nexadb",
            dependencies: [
                "NexaServer", "CNexaProcess", .product(name: "NexaClient", package: "nexa"),
                .product(name: "NexaManual", package: "nexa")
            ],
            swiftSettings: swiftSettings)
    ],
    swiftLanguageModes: [.v6]
)
