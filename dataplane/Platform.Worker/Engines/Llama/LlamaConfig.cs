using System.Text.Json;

namespace Platform.Worker.Engines.Llama;

/// <summary>What <c>config.json</c> says about a decoder of the Llama family, checked.</summary>
internal sealed record LlamaConfig
{
    /// <summary>The families that this engine runs, by their name in <c>architectures</c>.</summary>
    public static IReadOnlyList<string> Families { get; } = ["LlamaForCausalLM", "MistralForCausalLM", "Qwen2ForCausalLM"];

    /// <summary>One of <see cref="Families"/>.</summary>
    public required string Family { get; init; }

    /// <summary>Width of the residual stream.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Width inside the feed-forward blocks.</summary>
    public required int IntermediateSize { get; init; }

    public required int LayerCount { get; init; }

    /// <summary>Query heads.</summary>
    public required int HeadCount { get; init; }

    /// <summary>Key and value heads; each serves <c>HeadCount / KeyValueHeadCount</c> query heads.</summary>
    public required int KeyValueHeadCount { get; init; }

    /// <summary>Elements per head, even.</summary>
    public required int HeadSize { get; init; }

    public required int VocabularySize { get; init; }

    /// <summary>Tokens of prompt and completion together.</summary>
    public required int ContextLength { get; init; }

    public required float NormEpsilon { get; init; }

    /// <summary>Base of the rotary frequencies.</summary>
    public required double RopeTheta { get; init; }

    /// <summary>How the rotary frequencies are stretched; null if they are not.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>In the layers of <see cref="WindowedLayers"/> a token attends to this many positions up to its own; null for all.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>One entry per layer: true if <see cref="SlidingWindow"/> holds there.</summary>
    public required IReadOnlyList<bool> WindowedLayers { get; init; }

    /// <summary>The output head is the embedding table.</summary>
    public required bool TiedEmbeddings { get; init; }

    /// <summary>The query, key and value projections have biases.</summary>
    public required bool QkvBias { get; init; }

    /// <summary>The output projection of the attention has a bias.</summary>
    public required bool OutputBias { get; init; }

    /// <summary>The projections of the feed-forward block have biases.</summary>
    public required bool MlpBias { get; init; }

    /// <summary>Tokens that end a text.</summary>
    public required IReadOnlyList<int> EndTokens { get; init; }

    /// <summary>Width of all query heads together.</summary>
    public int QuerySize => HeadCount * HeadSize;

    /// <summary>Width of all key heads together.</summary>
    public int KeyValueSize => KeyValueHeadCount * HeadSize;

    /// <summary>How many positions a token attends to in a layer, up to its own; null for all.</summary>
    public int? WindowOf(int layer) => WindowedLayers[layer] ? SlidingWindow : null;

    /// <summary>Reads and checks the file; every fault is reported at once.</summary>
    /// <exception cref="EngineException">The file is not JSON, names an unsupported family, or contradicts itself.</exception>
    public static LlamaConfig Parse(ReadOnlyMemory<byte> json)
    {
        try
        {
            using var document = JsonDocument.Parse(json);
            return new LlamaConfigReader(document.RootElement).Read();
        }
        catch (Exception error) when (error is JsonException or InvalidOperationException or FormatException)
        {
            throw new EngineException(Platform.Jobs.ErrorCodes.ModelInvalid, $"config.json is not a model configuration: {error.Message}", error);
        }
    }
}

/// <summary>Stretches rotary frequencies for contexts longer than the model was first trained on.</summary>
/// <param name="Kind"><c>llama3</c> or <c>linear</c>.</param>
/// <param name="Factor">Positions are divided by this where the stretch applies in full.</param>
/// <param name="LowFrequencyFactor">llama3: wavelengths above original / this are stretched in full.</param>
/// <param name="HighFrequencyFactor">llama3: wavelengths below original / this are left alone.</param>
/// <param name="OriginalContextLength">llama3: context of the first training.</param>
internal sealed record RopeScaling(string Kind, double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalContextLength);
