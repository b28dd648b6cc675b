namespace Platform.Worker.Training;

/// <summary>AdamW (Loshchilov and Hutter 2019) with clipping by the gradient's norm. Matrices decay; norms and the embedding do not.</summary>
internal sealed class AdamW(TrainingShape shape, Parameters weights)
{
    private const double Beta1 = 0.9;
    private const double Beta2 = 0.95;
    private const float Epsilon = 1e-8f;
    private const float Decay = 0.1f;
    private const double LargestNorm = 1;

    private readonly Parameters _first = new(shape);
    private readonly Parameters _second = new(shape);
    private int _step;

    /// <summary>Steps taken; set when a saved state is taken up.</summary>
    public int StepsDone
    {
        get => _step;
        set => _step = value;
    }

    /// <summary>Both moments of every parameter: with the steps, all of the optimizer's state.</summary>
    public IEnumerable<Parameter> Moments => _first.All.Concat(_second.All);

    /// <summary>Takes one step against the gradient.</summary>
    /// <returns>The gradient's norm before clipping.</returns>
    public double Step(Parameters gradients, double learningRate)
    {
        _step++;
        var norm = Math.Sqrt(gradients.All.Sum(gradient => (double)System.Numerics.Tensors.TensorPrimitives.SumOfSquares<float>(gradient.Values.Span)));
        var clip = (float)Math.Min(1, LargestNorm / (norm + 1e-12));
        var rate = (float)(learningRate / (1 - Math.Pow(Beta1, _step)));
        var correction = (float)(1 / (1 - Math.Pow(Beta2, _step)));
        for (var i = 0; i < weights.All.Count; i++)
        {
            var parameter = weights.All[i];
            var decays = parameter.Rows > 1 && parameter != weights.Embedding;
            Update(parameter.Values.Span, gradients.All[i].Values.Span, _first.All[i].Values.Span, _second.All[i].Values.Span, clip, rate, correction, decays ? (float)(learningRate * Decay) : 0);
        }

        return norm;
    }

    private static void Update(Span<float> weights, ReadOnlySpan<float> gradients, Span<float> first, Span<float> second, float clip, float rate, float correction, float decay)
    {
        for (var i = 0; i < weights.Length; i++)
        {
            var gradient = gradients[i] * clip;
            first[i] += (float)(1 - Beta1) * (gradient - first[i]);
            second[i] += (float)(1 - Beta2) * ((gradient * gradient) - second[i]);
            weights[i] -= (rate * first[i] / (MathF.Sqrt(second[i] * correction) + Epsilon)) + (decay * weights[i]);
        }
    }
}
