import Evaluation
import Foundation
import Models
import RankReduction
import Search

/// A finished search of a made-up model, with changes that follow from the sites alone.
struct SampleOutcome {
  var model = "runs/posy/model"
  var base: String? = "runs/posy/base"
  var searchTexts = ["a.search.txt", "b.search.txt"]
  var heldOutTexts = ["a.heldout.txt", "b.heldout.txt"]
  var layers = 3
  /// Nil for a dense model.
  var experts: Int? = 2
  var roles: [Role] = [.w1, .w2]
  var ranks = [32, 8]
  var fullRank = 64
  /// Every so many-th site is kept; 0 for none.
  var keepsEvery = 2
  var heldOutGain = 0.02
  var searchGain = 0.03
  var hasSpectra = true
  /// Where the rounding of the differences ends.
  var roundingEdge: Double?
  var hasRouting = true
  var isControl = false
  var strategy = "sweep"
  var tolerance: Double?
  /// For a search of filters: see `SampleOutcome+Filters.swift`.
  var filter: FilterKind?
  /// Sizes of parts of a group that are measured where it does not pass as a whole, of which the last passes; nothing is
  /// kept then. None for a search that ends before its first model.
  var partSizes: [Int]?
  /// Of each filter; nil for the full rank.
  var factorCount: Int?
  /// What the alternatives gain on the held-out text.
  var alternativeGains: [(name: String, gain: Double)] = []

  /// What the base itself gains on the held-out text; nil where it was not measured.
  var baseGain: Double?
  /// Steps in which a kept site was reduced: each rank from the first on.
  var steps = 1

  static let windows = 6

  var sites: [Site] {
    (0..<layers).reversed().flatMap { layer in
      (experts.map { Array(0..<$0) as [Int?] } ?? [nil]).flatMap { expert in
        roles.map { Site(layer: layer, expert: $0.part == .expert ? expert : nil, role: $0) }
      }
    }
  }

  var outcome: SearchOutcome {
    get throws {
      let lines = [settings] + (filter.map(filterRecords) ?? trials) + [result]
      let records = try lines.map {
        try JSONDecoder().decode(SearchRecord.self, from: JSONSerialization.data(withJSONObject: $0))
      }
      return try SearchOutcome(records, spectra: spectra, factors: filter.map(factors) ?? [:])
    }
  }

  private var settings: [String: Any] {
    func texts(_ paths: [String]) -> [[String: Any]] {
      paths.map { ["path": $0, "fingerprint": "0123456789abcdef", "windows": Self.windows] }
    }
    let file = ["path": model, "fingerprint": "00000000000000aa"]
    var inputs: [String: Any] = [
      "model": file, "tokenizer": "fedcba9876543210", "text": texts(searchTexts), "held_out": texts(heldOutTexts),
    ]
    if let base { inputs["base"] = ["path": base, "fingerprint": "00000000000000bb"] }
    var values: [String: Any] = [
      "model": model, "text": searchTexts, "held_out": heldOutTexts, "context": "256",
      "roles": roles.map(\.rawValue).joined(separator: ","), "ranks": "0.5,0.125", "strategy": strategy,
    ]
    if let base { values["base"] = base }
    // Without held-out texts of their own, the halves of the texts are searched on and held out.
    if searchTexts == heldOutTexts { values["held_out"] = nil }
    if isControl { values["control"] = "true" }
    if let filter {
      (values["strategy"], values["filter"]) = ("filters", filter.rawValue)
      values["ranks"] = nil
    }
    if let tolerance { (values["objective"], values["tolerance"]) = ("size", "\(tolerance)") }
    let settings: [String: Any] = [
      "record": "settings", "version": 3, "program": "laser 0.0.0", "settings": values, "inputs": inputs,
      "started": "2026-01-02T03:04:05Z", "machine": "A processor, 2 threads, 8 GB",
    ]
    return settings
  }

  private var trials: [[String: Any]] {
    let count = Self.windows * searchTexts.count
    return sites.enumerated().flatMap { index, site in
      ranks.enumerated().map { step, rank -> [String: Any] in
        let isKept = keepsEvery > 0 && index % keepsEvery == 0 && step < steps
        var trial: [String: Any] = [
          "record": "trial", "number": index * ranks.count + step + 1, "phase": "sweep", "tensor": "\(site)",
          "layer": site.layer, "role": site.role.rawValue, "kind": base == nil ? "weights" : "delta", "rank": rank,
          "fullRank": fullRank, "windowsUsed": step < steps ? count : count / 4, "nll": 3.5,
          "delta": (isKept ? -0.001 : 0.002) * Double(1 + index % 3), "standardError": 0.0003, "level": 0.05,
          "evidence": "measured", "kept": isKept, "seconds": 1.5,
        ]
        if let expert = site.expert { trial["expert"] = expert }
        return trial
      }
    }
  }

  private func scores(_ texts: [String], gain: Double) -> [[String: Any]] {
    (0..<Self.windows * texts.count).map { ["nll": 900 + Double($0) - gain * (255 + Double($0 % 3)), "tokens": 255] }
  }

  private var result: [String: Any] {
    let keeps = keepsEvery > 0 && !ranks.isEmpty && layers > 0
    var result: [String: Any] = [
      "record": "result", "searchBaseline": scores(searchTexts, gain: 0),
      "search": scores(searchTexts, gain: keeps ? searchGain : 0), "heldOutBaseline": scores(heldOutTexts, gain: 0),
      "heldOut": scores(heldOutTexts, gain: keeps ? heldOutGain : 0), "spentBudget": false, "seconds": 83.2,
    ]
    if let baseGain { result["heldOutBase"] = scores(heldOutTexts, gain: baseGain) }
    if filter != nil {
      result["alternatives"] = alternativeGains.map { alternative -> [String: Any] in
        ["name": alternative.name, "heldOut": scores(heldOutTexts, gain: alternative.gain)]
      }
    }
    if hasRouting, let experts {
      let layer: [String: Any] = [
        "experts": (0..<experts).map { ["tokens": 100 + 10 * $0, "weight": 50.5] as [String: Any] },
        "gateSingularValues": (0..<experts).map { 2 - 0.1 * Double($0) },
      ]
      let text: [String: Any] = ["tokens": 200, "layers": Array(repeating: layer, count: layers)]
      result["routing"] = Array(repeating: text, count: heldOutTexts.count)
    }
    return result
  }

  private var spectra: [SiteSpectrum] {
    guard hasSpectra else { return [] }
    return sites.enumerated().map { index, site in
      let values = (0..<fullRank).map { 3 / (1 + 0.1 * Double($0 + index % 5)) }
      return SiteSpectrum(
        site, kind: base == nil ? .weights : .delta,
        Spectrum(
          singularValues: values, rows: fullRank, columns: 96, roundingEdge: roundingEdge))
    }
  }
}
