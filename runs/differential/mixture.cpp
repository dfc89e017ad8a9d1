// Asks llama.cpp's own code which type llama-quantize gives each tensor. llama-quant.cpp is compiled in; of the model only
// the shape is there. Reads "model FTYPE ARCHITECTURE LAYERS EXPERTS HEADS KEY_HEADS IS_70B HAS_IMATRIX", a line "NAME NE0 NE1
// NE2" for each tensor, and "end"; writes "NAME TYPE" for each and "end".
#include "llama-quant.cpp"
#include <cstdio>
#include <iostream>
#include <new>
#include <sstream>

int main() {
    std::string line;
    while (std::getline(std::cin, line)) {
        std::istringstream head(line);
        std::string word, architecture;
        int ftype, layers, experts, heads, key_heads, is_70b, has_imatrix;
        head >> word >> ftype >> architecture >> layers >> experts >> heads >> key_heads >> is_70b >> has_imatrix;
        if (word != "model") return 1;
        std::vector<char> memory(sizeof(llama_model), 0);
        llama_model * model = (llama_model *) memory.data();
        new (&model->hparams) llama_hparams();
        model->arch = llm_arch_from_string(architecture);
        model->type = is_70b ? LLM_TYPE_70B : LLM_TYPE_UNKNOWN;
        model->hparams.n_layer_all = layers;
        model->hparams.n_expert = experts;
        for (int i = 0; i < layers; i++) {
            model->hparams.n_head_arr[i] = heads;
            model->hparams.n_head_kv_arr[i] = key_heads;
        }
        llama_model_quantize_params params = llama_model_quantize_default_params();
        params.ftype = (llama_ftype) ftype;
        quantize_state_impl state(*model, &params);
        state.has_imatrix = has_imatrix;
        // In the order in which the loader has them.
        std::map<std::string, ggml_tensor, llama_model_loader::weight_name_comparer> tensors;
        while (std::getline(std::cin, line) && line != "end") {
            std::istringstream in(line);
            std::string name;
            ggml_tensor tensor = {};
            in >> name >> tensor.ne[0] >> tensor.ne[1] >> tensor.ne[2];
            tensor.ne[3] = 1;
            tensor.type = GGML_TYPE_F32;
            std::strncpy(tensor.name, name.c_str(), sizeof tensor.name - 1);
            tensors[name] = tensor;
        }
        std::vector<tensor_metadata> metadata;
        for (auto & entry : tensors) {
            metadata.push_back({});
            metadata.back().name = entry.first;
        }
        init_quantize_state_counters(state, metadata);
        const ggml_type main_type = llama_ftype_get_default_type(params.ftype);
        size_t i = 0;
        for (auto & entry : tensors) {
            const ggml_type type = llama_tensor_get_type(state, &params, &entry.second, main_type, metadata[i++]);
            printf("%s %s\n", entry.first.c_str(), ggml_type_name(type));
        }
        printf("end\n");
        fflush(stdout);
    }
    return 0;
}
