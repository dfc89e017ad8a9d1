import CheckpointFixtures
import Checkpoints
import Foundation
import Testing

/// Models of the Hugging Face Hub: opened by their ids where the cache has them, and named where a checkpoint is written.
struct HubTests {
  private let workshop: Workshop
  private var folder: TemporaryFolder { workshop.folder }
  private static let id = "some-one/tiny_model.v1"

  /// The workshop's model moves into a cache: files under blobs, links to them in the snapshot.
  init() throws {
    workshop = try Workshop()
    let repository = workshop.folder["cache/models--some-one--tiny_model.v1"]
    let manager = FileManager.default
    for commit in ["0a1b2c", "999999"] {
      let snapshot = repository.appending(path: "snapshots/\(commit)")
      let blobs = repository.appending(path: "blobs")
      try manager.createDirectory(at: snapshot, withIntermediateDirectories: true)
      try manager.createDirectory(at: blobs, withIntermediateDirectories: true)
      for name in try manager.contentsOfDirectory(atPath: workshop.model) {
        let blob = "\(commit)-\(name)"
        try manager.copyItem(atPath: workshop.model + "/" + name, toPath: blobs.path + "/" + blob)
        try manager.createSymbolicLink(
          atPath: snapshot.path + "/" + name, withDestinationPath: "../../blobs/\(blob)")
      }
    }
    try manager.createDirectory(at: repository.appending(path: "refs/pr"), withIntermediateDirectories: true)
    try Data("0a1b2c".utf8).write(to: repository.appending(path: "refs/main"))
    try Data("999999\n".utf8).write(to: repository.appending(path: "refs/pr/1"))
  }

  private var environment: String {
    "cd '\(folder.path("."))'; export HF_HUB_CACHE='\(folder.path("cache"))'"
  }

  private func succeeds(_ arguments: [String], sourceLocation: SourceLocation = #_sourceLocation) async throws
    -> LaserRun
  {
    let run = try await laser(arguments, shell: environment)
    try #require(run.status == 0, "\(run.error)", sourceLocation: sourceLocation)
    return run
  }

  @Test func ids() {
    #expect(HubName("owner/name")?.id == "owner/name" && HubName("owner/name")?.revision == nil)
    #expect(HubName("a_b/c-1.5@refs/pr/2").map { [$0.id, $0.revision] } == ["a_b/c-1.5", "refs/pr/2"])
    for text in [
      "name", "a/b/c", "/a", "a/", "../b", "./b", "a/..", "a--b/c", "a/b--c", "a b/c", "a/-b", "a/b@", "a/b@../c",
      "é/b",
    ] {
      #expect(HubName(text) == nil, "\(text)")
    }
    #expect(HubName(cachedAt: "/x/models--a--b-c/snapshots/1")?.id == "a/b-c")
    #expect(HubName(cachedAt: "/x/models/a") == nil)
  }

  @Test func everyCommandOpensThem() async throws {
    let texts = workshop.searchTexts
    let direct = try await laserSucceeds(workshop.perplexity("model", texts)).json
    let name = Self.id
    for id in [name, name + "@pr/1", name + "@999999"] {
      let run = try await succeeds(["perplexity", id, "--json", "--context", "32", "--text"] + texts)
      #expect(try run.json["perplexity"]?.number == direct["perplexity"]?.number, "\(id)")
      #expect(try run.json["model"]?.string == id)
    }
    _ = try await succeeds(["inspect", name])
    _ = try await succeeds(["tokenize", name, "--text", texts[0]])
    _ = try await succeeds(["spectrum", name, "--base", name, "--layers", "0", "--roles", "w1"])
    _ = try await succeeds(["compare", name, workshop.model, "--context", "32", "--text", texts[0]])
    _ = try await succeeds(["generate", name, "--prompt", "Once", "--tokens", "2"])
    // Other ways to say where the cache lies.
    try FileManager.default.createDirectory(at: folder["home/.cache/huggingface"], withIntermediateDirectories: true)
    try FileManager.default.createSymbolicLink(
      atPath: folder.path("home/.cache/huggingface/hub"), withDestinationPath: folder.path("cache"))
    let unset = "unset HF_HUB_CACHE HUGGINGFACE_HUB_CACHE HF_HOME XDG_CACHE_HOME; "
    for variable in [
      "HOME='\(folder.path("home"))'", "HF_HOME='\(folder.path("home/.cache/huggingface"))'",
      "XDG_CACHE_HOME='\(folder.path("home/.cache"))'",
      "HOME='\(folder.path("home"))' HF_HUB_CACHE='~/.cache/huggingface/hub'",
    ] {
      let run = try await laser(["inspect", name], shell: unset + "export " + variable)
      #expect(run.status == 0, "\(variable) \(run.error)")
    }
  }

  /// The card names the model by its id.
  @Test func aRecipeTakesThem() async throws {
    let recipe = """
      model: \(Self.id)
      text: \(workshop.searchTexts)
      held_out: \(workshop.heldOutTexts)
      context: 32
      strategy: noise-edge
      out: run
      checkpoint: lasered
      """
    try Data(recipe.utf8).write(to: folder["recipe.yaml"])
    _ = try await succeeds(["run", folder.path("recipe.yaml"), "--quiet"])
    let journal = try String(contentsOf: folder["run/journal.jsonl"], encoding: .utf8)
    #expect(journal.contains(#""model":"\#(Self.id)""#))
    let card = try String(contentsOf: folder["lasered/README.md"], encoding: .utf8)
    #expect(card.contains("base_model:\n- \(Self.id)\n") && card.contains("base_model_relation: finetune"))
  }

  @Test func whatIsNotThereIsToBeDownloaded() async throws {
    let words = ["nobody/nothing", "hf download nobody/nothing", "HF_HUB_CACHE", folder.path("cache")]
    for command in [["inspect"], ["search", "--text", "a.txt", "--out", "run"]] {
      try await expectFailure([command[0], "nobody/nothing"] + command.dropFirst(), naming: words, shell: environment)
    }
    try await expectFailure(
      ["inspect", Self.id + "@other"], naming: ["hf download \(Self.id) --revision other"], shell: environment)
    try Data("model: nobody/nothing\ntext: a.txt\nout: run\n".utf8).write(to: folder["recipe.yaml"])
    try await expectFailure(["run", folder.path("recipe.yaml")], naming: words, shell: environment)
    let merge = "base_model: nobody/nothing\ngate_mode: random\nexperts_per_token: 1\nexperts:\n- source_model: a\n"
    try Data(merge.utf8).write(to: folder["merge.yaml"])
    try await expectFailure(
      ["merge", folder.path("merge.yaml"), "--out", folder.path("out")],
      naming: ["base_model", "hf download nobody/nothing"], shell: environment)
    // A reference that leads out of the cache leads nowhere.
    try Data("../../../model".utf8).write(to: folder["cache/models--some-one--tiny_model.v1/refs/main"])
    try await expectFailure(["inspect", Self.id], naming: ["hf download"], shell: environment)
  }

  /// A folder's name says nothing of what the Hub has under it.
  @Test func namesOfFoldersAreNoIds() async throws {
    let plan = try workshop.writePlan("plan.yaml", entries: [Workshop.entry(role: "w1", rank: 15)])
    let apply = ["apply", workshop.model, "--plan", plan, "--out"]
    try await laserSucceeds(apply + [folder.path("plain")])
    let plain = try String(contentsOf: folder["plain/README.md"], encoding: .utf8)
    #expect(!plain.contains("base_model") && plain.contains("This is model after"))
    try await laserSucceeds(apply + [folder.path("named"), "--name", "ours/posy"])
    let named = try String(contentsOf: folder["named/README.md"], encoding: .utf8)
    #expect(named.contains("base_model:\n- ours/posy\n") && named.contains("This is ours/posy after"))
    try await laserSucceeds(apply + [folder.path("adapter"), "--lora"])
    let adapter = try Configuration(path: folder.path("adapter/adapter_config.json"))
    // PEFT reads null as a name that is not known.
    #expect(adapter["base_model_name_or_path"] == nil && adapter["peft_type"] != nil)
    try await laserSucceeds(apply + [folder.path("named-adapter"), "--lora", "--name", "ours/posy"])
    let namedAdapter = try Configuration(path: folder.path("named-adapter/adapter_config.json"))
    #expect(namedAdapter["base_model_name_or_path"]?.string == "ours/posy")
    try await laserSucceeds(["convert", workshop.model, "--out", folder.path("m.gguf"), "--name", "ours/Posy-1B"])
    let file = try GGUFFile(path: folder.path("m.gguf"))
    #expect(file["general.name"]?.string == "Posy 1B" && file["general.size_label"]?.string != nil)
    #expect(file["general.source.repo_url"]?.string == "https://huggingface.co/ours/Posy-1B")
    for name in ["posy", "a/b/c", "a/b@main"] {
      let run = try await laser(apply + [folder.path("bad"), "--name", name])
      #expect(run.status == 64 && run.error.contains("owner/name"), "\(run.error)")
    }
  }

  @Test func theDoctorNamesThem() async throws {
    let found = try await succeeds(["doctor", "--json", "--threads", "1"]).json
    #expect(found["cache"]?["models"]?.array?.compactMap(\.string) == [Self.id])
    #expect(found["cache"]?["folder"]?.string == folder.path("cache"))
    #expect(found["threads"]?.integer == 1 && found["version"]?.string?.isEmpty == false)
    let memory = found["memory"]
    let (physical, share) = (memory?["physical"]?.integer ?? 0, memory?["share"]?.integer ?? 0)
    #expect(share > 0 && 2 * share <= physical)
    #expect(found["disk"]?["free"]?.integer ?? 0 > 0)
    #expect(found["blas"]?["library"]?.string?.contains("OpenBLAS") == true)
    let text = try await succeeds(["doctor"]).output
    for word in ["laser", "processor", "kernels", "BLAS", "memory", "disk", "1 model", Self.id] {
      #expect(text.contains(word), "\(word)\n\(text)")
    }
    let empty = try await laser(["doctor"], shell: "export HF_HUB_CACHE=/nowhere/at/all")
    #expect(empty.status == 0 && empty.output.contains("/nowhere/at/all, which is not there"))
  }
}
