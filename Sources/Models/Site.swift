/// What a matrix does in its layer, named as in Mixtral: w1 is the gate, w3 the up and w2 the down projection of an
/// expert.
package enum Role: String, Sendable, CaseIterable, Codable {
  case w1, w2, w3
  case sharedW1 = "shared_w1"
  case sharedW2 = "shared_w2"
  case sharedW3 = "shared_w3"
  case query = "q_proj"
  case key = "k_proj"
  case value = "v_proj"
  case output = "o_proj"
  // Of latent attention.
  case queryDown = "q_a_proj"
  case queryUp = "q_b_proj"
  case keyValueDown = "kv_a_proj"
  case keyValueUp = "kv_b_proj"
  // Of linear attention.
  case deltaInput = "in_proj_qkv"
  case deltaGate = "in_proj_z"
  case deltaInputAndGate = "in_proj_qkvz"
  case deltaOutput = "out_proj"

  /// Also takes the names that dense models use.
  package init?(name: String) {
    switch name {
    case "gate_proj": self = .w1
    case "up_proj": self = .w3
    case "down_proj": self = .w2
    case "kv_a_proj_with_mqa": self = .keyValueDown
    default: self.init(rawValue: name)
    }
  }

  package enum Part: Sendable {
    case attention
    /// Each expert of a mixture has one of its own; a dense layer has one.
    case expert
    /// A matrix of the expert that every token goes to.
    case sharedExpert
  }

  package var part: Part {
    switch self {
    case .w1, .w2, .w3: .expert
    case .sharedW1, .sharedW2, .sharedW3: .sharedExpert
    case .query, .key, .value, .output, .queryDown, .queryUp, .keyValueDown, .keyValueUp, .deltaInput, .deltaGate,
      .deltaInputAndGate, .deltaOutput:
      .attention
    }
  }
}

/// One weight matrix that can be reduced.
package struct Site: Sendable, Hashable, Codable, CustomStringConvertible {
  package let layer: Int
  /// Nil for attention, a shared expert, and a dense layer, which a mixture may have too.
  package let expert: Int?
  package let role: Role

  package init(layer: Int, expert: Int?, role: Role) {
    self.layer = layer
    self.expert = expert
    self.role = role
  }

  /// "layer 5 expert 0 w1"
  package var description: String {
    "layer \(layer)\(expert.map { " expert \($0)" } ?? "") \(role.rawValue)"
  }
}
