extension ModelCard {
  /// What a card describes.
  package enum Form: Sendable, Equatable {
    case checkpoint
    /// A checkpoint in which reduced matrices are stored as two factors.
    case factored
    /// What was changed, as an adapter for the original.
    case adapter
    /// What was left of a fine-tune, as an adapter for its base.
    case baseAdapter
    /// A GGUF file.
    case gguf(GGUFContent)

    var isAdapter: Bool { self == .adapter || self == .baseAdapter }

    var option: String {
      switch self {
      case .checkpoint: ""
      case .factored: " --factored"
      case .adapter: " --lora"
      case .baseAdapter: " --lora --for-base"
      case .gguf(let content): " --to gguf" + (content.type.map { " --type \($0)" } ?? "")
      }
    }

    /// What is written: a folder or a file.
    var placeholder: String { if case .gguf = self { "FILE" } else { "FOLDER" } }

    /// How the Hub calls what it is to its base.
    var relation: String {
      switch self {
      case .checkpoint, .factored: "finetune"
      case .adapter, .baseAdapter: "adapter"
      case .gguf: "quantized"
      }
    }

    var tags: [String] { if case .gguf = self { ["laser", "gguf"] } else { ["laser"] } }

    /// Of Hugging Face's, which reads it.
    var library: String? {
      switch self {
      case .checkpoint: "transformers"
      case .factored, .gguf: nil
      case .adapter, .baseAdapter: "peft"
      }
    }
  }

  /// What the card of an adapter says of it.
  static func adapterText(for model: String) -> String {
    """
    The folder holds an adapter for \(Table.escaped(model)), not a model. Added to it, the adapter makes the same model, in the \
    precision in which it is computed:

    ```python
    from peft import PeftModel
    from transformers import AutoModelForCausalLM

    model = PeftModel.from_pretrained(AutoModelForCausalLM.from_pretrained("MODEL"), "FOLDER")
    ```
    """
  }

  /// What the card of a folder with factors says of them.
  static let factorsText = """
    Where that is smaller, a reduced matrix `P.weight` (m × n) of rank r is stored as two: `P.left.weight` (m × r) and \
    `P.right.weight` (r × n), whose product it is; or, where experts share the matrix of a base, as what the product of \
    `P.delta.left.weight` and `P.delta.right.weight` adds to that, which is called as the experts' are, with `base` for their \
    number. `laser` reads the folder as it is; perplexities of the product differ a little from those of the matrix, since \
    two matrices are rounded instead of one. For other programs, this makes a common checkpoint of it:

    ```python
    \(expansion)
    ```
    """

  /// A program that multiplies factors out: python expand.py FOLDER NEW_FOLDER. Also in docs/formats.md.
  package static let expansion = #"""
    import glob, json, re, shutil, sys
    from safetensors.torch import load_file, save_file

    source, target = sys.argv[1:]
    shutil.copytree(source, target, ignore=shutil.ignore_patterns("factored*"))
    tensors = {}
    for file in glob.glob(source + "/factored*.safetensors"):
        tensors.update(load_file(file))
    for name in [name for name in tensors if name.endswith(".left.weight")]:
        module = name.removesuffix(".left.weight")
        left, right = tensors.pop(name), tensors.pop(module + ".right.weight")
        matrix = left.float() @ right.float()
        if module.endswith(".delta"):
            module = module.removesuffix(".delta")
            matrix += tensors[re.sub(r"\.experts\.\d+\.", ".experts.base.", module) + ".weight"].float()
        tensors[module + ".weight"] = matrix.to(left.dtype)
    tensors = {name: tensor for name, tensor in tensors.items() if ".experts.base." not in name}
    save_file(tensors, target + "/model.safetensors", metadata={"format": "pt"})
    config = json.load(open(target + "/config.json"))
    del config["quantization_config"]
    json.dump(config, open(target + "/config.json", "w"), indent=2)
    """#
}
