// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "MovieSearch",
    dependencies: [
        .package(name: "nexa", path: "../.."),
        // Only to start a server inside the example; a service needs the first line alone.
        .package(name: "nexa-server", path: "../../Server")
    ],
    targets: [
        .executableTarget(
            name: "MovieSearch",
            dependencies: [
                .product(name: "NexaClient", package: "nexa"), .product(name: "NexaServer", package: "nexa-server")
            ])
    ]
)
