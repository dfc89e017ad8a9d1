// swift-tools-version: 6.1
import PackageDescription

/// The MPI library that the trait MPI builds with, as pkg-config knows it: Open MPI, or what LASER_MPI names ("mpich").
let mpi = Context.environment["LASER_MPI"] ?? "ompi-c"

let package = Package(
  name: "laser",
  traits: [
    .trait(name: "MPI", description: "One search by many processes: needs an MPI library (docs/clusters.md)")
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
    .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
  ],
  targets: [
    // MARK: Foundations: C libraries, loops, arrays of numbers
    .systemLibrary(
      name: "COpenBLAS",
      providers: [.apt(["libopenblas-dev", "liblapacke-dev"])]
    ),
    .target(name: "CKernels"),
    .target(name: "CFiles"),
    .target(
      name: "Tensors",
      dependencies: ["COpenBLAS", "CKernels", .product(name: "SystemPackage", package: "swift-system")],
      linkerSettings: [.linkedLibrary("m")]
    ),
    .target(name: "Wording", dependencies: [.product(name: "Yams", package: "Yams")]),
    .systemLibrary(name: "CMPI", pkgConfig: mpi, providers: [.apt(["libopenmpi-dev"])]),
    .target(
      name: "CProcesses",
      dependencies: [.target(name: "CMPI", condition: .when(traits: ["MPI"]))],
      cSettings: [.define("LASER_MPI", .when(traits: ["MPI"]))]),
    .target(
      name: "Processes", dependencies: ["Wording", .target(name: "CProcesses", condition: .when(traits: ["MPI"]))]),

    // MARK: A model: its files, its words, its function
    .target(
      name: "Checkpoints",
      dependencies: [
        "CFiles", "Tensors", "Processes", "Wording", .product(name: "SystemPackage", package: "swift-system"),
      ]
    ),
    .target(
      name: "Tokenization",
      dependencies: ["Checkpoints", "Wording", .product(name: "HeapModule", package: "swift-collections")]
    ),
    .target(name: "ChatTemplates", dependencies: ["Tokenization", "Checkpoints"]),
    .target(name: "Models", dependencies: ["Checkpoints", "Tensors", "Wording"]),
    .target(name: "Inference", dependencies: ["Models", "Checkpoints", "Tensors"]),

    // MARK: LASER: scoring, reducing, searching
    .target(
      name: "Evaluation",
      dependencies: [
        "Inference", "Models", "ChatTemplates", "Tokenization", "Checkpoints", "Tensors", "Processes", "Wording",
      ]),
    .target(
      name: "Merging",
      dependencies: [
        "Inference", "Models", "Tokenization", "Checkpoints", "Tensors", "Wording",
        .product(name: "Yams", package: "Yams"),
      ]
    ),
    .target(
      name: "RankReduction",
      dependencies: [
        "Inference", "Models", "Checkpoints", "Tensors", "Processes", "Wording",
        .product(name: "Yams", package: "Yams"),
      ]
    ),
    .target(
      name: "Search",
      dependencies: [
        "RankReduction", "Evaluation", "Inference", "Models", "Checkpoints", "Tokenization", "Tensors", "Processes",
        "Wording", .product(name: "Yams", package: "Yams"),
      ]
    ),

    // MARK: The product
    .target(
      name: "Reports",
      dependencies: [
        "Search", "RankReduction", "Evaluation", "Inference", "Models", "Checkpoints", "Tensors", "Wording",
        .product(name: "Yams", package: "Yams"),
      ]
    ),
    .executableTarget(
      name: "laser",
      dependencies: [
        "Reports", "Search", "RankReduction", "Merging", "Evaluation", "Inference", "Models", "ChatTemplates",
        "Tokenization", "Checkpoints", "Tensors", "Processes", "Wording", "CFiles",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ]
    ),

    // MARK: Tests, to be run in release: debug numerics are 50 times slower
    .testTarget(name: "TensorsTests", dependencies: ["Tensors"]),
    .target(name: "CheckpointFixtures", path: "Tests/CheckpointFixtures"),
    .target(
      name: "Fuzzing",
      dependencies: [
        "CheckpointFixtures", "Reports", "Search", "RankReduction", "Merging", "Inference", "Models", "Tokenization",
        "Checkpoints", "Tensors", "Wording",
      ],
      path: "Tests/Fuzzing"),
    .executableTarget(name: "fuzz", dependencies: ["Fuzzing"], path: "Tests/FuzzDriver"),
    .testTarget(
      name: "CheckpointsTests",
      dependencies: ["CheckpointFixtures", "Fuzzing", "Models", "Checkpoints", "Tensors"]
    ),
    .testTarget(name: "TokenizationTests", dependencies: ["Tokenization", "Checkpoints"], exclude: ["Fixtures"]),
    .testTarget(
      name: "ChatTemplatesTests", dependencies: ["ChatTemplates", "Tokenization", "Checkpoints"], exclude: ["Fixtures"]),
    .testTarget(
      name: "InferenceTests",
      dependencies: [
        "CheckpointFixtures", "Inference", "Models", "Evaluation", "RankReduction", "ChatTemplates", "Tokenization",
        "Checkpoints", "Tensors", "Wording",
      ]
    ),
    .testTarget(
      name: "MergingTests",
      dependencies: [
        "Merging", "CheckpointFixtures", "Inference", "Models", "Tokenization", "Checkpoints", "Tensors", "Wording",
      ]
    ),
    .testTarget(
      name: "RankReductionTests",
      dependencies: ["CheckpointFixtures", "RankReduction", "Inference", "Models", "Checkpoints", "Tensors", "Wording"]
    ),
    .testTarget(name: "WordingTests", dependencies: ["Wording"]),
    .target(name: "ThreadProcesses", dependencies: ["Processes"], path: "Tests/ThreadProcesses"),
    .testTarget(name: "ProcessesTests", dependencies: ["ThreadProcesses", "Processes", "Wording"]),
    .testTarget(
      name: "SearchTests",
      dependencies: [
        "ThreadProcesses", "Search", "RankReduction", "Evaluation", "Inference", "Models", "Tokenization",
        "Checkpoints", "Tensors", "Processes", "Wording",
      ]
    ),
    .testTarget(
      name: "ReportsTests",
      dependencies: [
        "Reports", "Search", "RankReduction", "Evaluation", "Inference", "Models", "Checkpoints", "Wording",
        .product(name: "Yams", package: "Yams"),
      ]
    ),
    .testTarget(name: "CommandTests", dependencies: ["laser", "CheckpointFixtures", "Checkpoints", "Tensors"]),
  ]
)

for target in package.targets where ![.system, .plugin].contains(target.type) {
  target.swiftSettings = [
    .swiftLanguageMode(.v6),
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
  ]
}
