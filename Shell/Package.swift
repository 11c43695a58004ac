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

let package = Package(
    name: "nexa-shell",
    products: [
        .executable(name: "nexa", targets: ["nexa"]),
        .library(name: "NexaShell", targets: ["NexaShell"])
    ],
    dependencies: [.package(name: "nexa", path: "..", traits: ["TLS"])],
    targets: [
        .systemLibrary(name: "CLibEdit", pkgConfig: "libedit", providers: [.apt(["libedit-dev"])]),
        .systemLibrary(name: "CZlib", pkgConfig: "zlib", providers: [.apt(["zlib1g-dev"])]),
        .target(name: "CLineEditor", dependencies: ["CLibEdit"]),
        .target(
            name: "NexaShell",
            dependencies: [
                "CLineEditor", "CZlib", .product(name: "NexaClient", package: "nexa"),
                .product(name: "NexaCore", package: "nexa"), .product(name: "NexaManual", package: "nexa")
            ],
            swiftSettings: swiftSettings),
        .executableTarget(name: "nexa", dependencies: ["NexaShell"], swiftSettings: swiftSettings)
    ],
    swiftLanguageModes: [.v6]
)
