internal import Checkpoints

extension TensorLayout {
  /// Every matrix that can be reduced: by layer, within it attention first, then expert by expert, the shared one last.
  var sites: [Site] {
    layers.enumerated().flatMap { number, layer in
      let attention = Dictionary(layer.attention.matrices.map { ($0.role, $0.reference) }) { first, _ in first }
      return Role.allCases.filter { attention[$0] != nil }.map { Site(layer: number, expert: nil, role: $0) }
        + layer.experts.indices.flatMap { expert in
          Role.allCases.filter { $0.part == .expert }.map { role in
            Site(layer: number, expert: layer.router == nil ? nil : expert, role: role)
          }
        }
        + Role.allCases.filter { $0.part == .sharedExpert && layer.shared != nil }.map { role in
          Site(layer: number, expert: nil, role: role)
        }
    }
  }

  /// The tensor of a site; nil if there is no such site.
  func reference(of site: Site) -> TensorReference? {
    guard layers.indices.contains(site.layer) else { return nil }
    let layer = layers[site.layer]
    let expert: Expert?
    switch site.role.part {
    case .attention:
      guard site.expert == nil else { return nil }
      return layer.attention.matrices.first { $0.role == site.role }?.reference
    case .expert:
      guard (site.expert == nil) == (layer.router == nil), layer.experts.indices.contains(site.expert ?? 0) else {
        return nil
      }
      expert = layer.experts[site.expert ?? 0]
    case .sharedExpert:
      guard site.expert == nil else { return nil }
      expert = layer.shared?.expert
    }
    return switch site.role {
    case .w1, .sharedW1: expert?.gate
    case .w2, .sharedW2: expert?.down
    case .w3, .sharedW3: expert?.up
    default: nil
    }
  }
}
