using Platform.Worker.Engines.Llama;

namespace Platform.Worker.Training;

/// <summary>One trainable tensor; or, with the same shape, its gradient or a moment of it.</summary>
/// <param name="Name">Its name in the model's file.</param>
/// <param name="Rows">Outputs; 1 for a vector.</param>
/// <param name="Columns">Inputs.</param>
/// <param name="Values">Row-major.</param>
internal sealed record Parameter(string Name, int Rows, int Columns, FloatMemory Values)
{
    public unsafe float* Pointer => Values.Pointer;
}

/// <summary>The parameters of one block.</summary>
internal sealed record LayerParameters(Parameter AttentionNorm, Parameter Query, Parameter Key, Parameter Value, Parameter Output, Parameter MlpNorm, Parameter Gate, Parameter Up, Parameter Down);

/// <summary>All parameters of a model, or as many numbers of another meaning (gradients, moments).</summary>
internal sealed class Parameters
{
    public Parameters(TrainingShape shape)
    {
        Embedding = Add(LlamaTensors.Embedding, shape.Vocabulary, shape.Hidden);
        Layers = [.. Enumerable.Range(0, shape.Layers).Select(i => new LayerParameters(
            Add(LlamaTensors.InLayer(i, "input_layernorm.weight"), 1, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "self_attn.q_proj.weight"), shape.Hidden, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "self_attn.k_proj.weight"), shape.KeyValueSize, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "self_attn.v_proj.weight"), shape.KeyValueSize, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "self_attn.o_proj.weight"), shape.Hidden, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "post_attention_layernorm.weight"), 1, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "mlp.gate_proj.weight"), shape.Intermediate, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "mlp.up_proj.weight"), shape.Intermediate, shape.Hidden),
            Add(LlamaTensors.InLayer(i, "mlp.down_proj.weight"), shape.Hidden, shape.Intermediate)))];
        FinalNorm = Add(LlamaTensors.FinalNorm, 1, shape.Hidden);
    }

    /// <summary>[vocabulary, hidden]; also the output head.</summary>
    public Parameter Embedding { get; }

    public IReadOnlyList<LayerParameters> Layers { get; }

    public Parameter FinalNorm { get; }

    /// <summary>All, in the order in which a token passes through them.</summary>
    public List<Parameter> All { get; } = [];

    public long Count => All.Sum(parameter => (long)parameter.Values.Length);

    /// <summary>Norms 1; matrices normal with half of the usual 1/sqrt(inputs), those that write to the residual stream smaller with depth (GPT-2).</summary>
    public void Initialize(Random random)
    {
        foreach (var parameter in All)
        {
            var residual = parameter.Name.EndsWith("o_proj.weight", StringComparison.Ordinal) || parameter.Name.EndsWith("down_proj.weight", StringComparison.Ordinal);
            var deviation = 0.5 / Math.Sqrt(parameter.Columns) / (residual ? Math.Sqrt(2.0 * Layers.Count) : 1);
            foreach (ref var value in parameter.Values.Span)
            {
                value = parameter.Rows == 1 ? 1 : (float)(deviation * Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()));
            }
        }
    }

    public void Clear() => All.ForEach(parameter => parameter.Values.Clear());

    private Parameter Add(string name, int rows, int columns)
    {
        var parameter = new Parameter(name, rows, columns, new FloatMemory(rows * columns));
        All.Add(parameter);
        return parameter;
    }
}
