import Checkpoints
import Foundation

/// Divides a checkpoint's one file into shards with an index, as large models come.
enum ShardedCopy {
  static func make(of folder: String, shards count: Int) throws -> String {
    let target = FileManager.default.temporaryDirectory.appendingPathComponent("laser-shards-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: target, withIntermediateDirectories: true)
    for name in ["config.json", "tokenizer.json"] {
      try FileManager.default.copyItem(atPath: "\(folder)/\(name)", toPath: "\(target)/\(name)")
    }
    let file = try SafetensorsFile(path: folder + "/model.safetensors")
    let size = (file.entries.count + count - 1) / count
    var map: [String: String] = [:]
    for shard in 0..<count {
      let name = "model-0000\(shard + 1)-of-0000\(count).safetensors"
      var header: [String: Any] = ["__metadata__": ["format": "pt"]]
      var body = Data()
      for entry in file.entries.dropFirst(shard * size).prefix(size) {
        let start = body.count
        file.file.region(entry.bytes).withBytes { body.append(contentsOf: $0) }
        header[entry.name] = ["dtype": entry.type, "shape": entry.shape, "data_offsets": [start, body.count]]
        map[entry.name] = name
      }
      let json = try JSONSerialization.data(withJSONObject: header)
      var length = UInt64(json.count).littleEndian
      try (Data(bytes: &length, count: 8) + json + body).write(to: URL(fileURLWithPath: "\(target)/\(name)"))
    }
    let index = try JSONSerialization.data(withJSONObject: ["metadata": ["total_size": 0], "weight_map": map])
    try index.write(to: URL(fileURLWithPath: target + "/model.safetensors.index.json"))
    return target
  }

  static func remove(_ folder: String) { try? FileManager.default.removeItem(atPath: folder) }
}
