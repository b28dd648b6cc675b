using Platform.Worker.Training;

namespace Platform.UnitTests.Training;

public sealed class TrainingPassTests
{
    private static readonly TrainingShape Shape = new() { Hidden = 24, Intermediate = 40, Layers = 2, Heads = 4, KeyValueHeads = 2, Vocabulary = 300, Context = 70 };

    [Fact]
    public void Backward_EveryParameter_AgreesWithFiniteDifferences()
    {
        var (pass, transposed, tokens) = Create(seed: 3);
        var loss = Loss(pass, transposed, tokens);
        pass.Backward(tokens, 1f / (tokens.Length - 1));
        Assert.Equal(Math.Log(Shape.Vocabulary), loss, 0.5);

        for (var i = 0; i < pass.Weights.All.Count; i++)
        {
            // Along the gradient itself the loss changes most, so that rounding matters least.
            var values = pass.Weights.All[i].Values;
            var gradient = pass.Gradients.All[i].Values.Span.ToArray();
            var norm = Math.Sqrt(gradient.Sum(g => (double)g * g));
            var kept = values.Span.ToArray();
            var step = 0.02 / Math.Max(1, norm);
            double LossAt(double sign)
            {
                for (var j = 0; j < kept.Length; j++)
                {
                    values.Span[j] = (float)(kept[j] + (sign * step * gradient[j] / norm));
                }

                return Loss(pass, transposed, tokens);
            }

            var slope = (LossAt(1) - LossAt(-1)) / (2 * step);
            kept.CopyTo(values.Span);

            Assert.True(Math.Abs(slope - norm) < (0.02 * norm) + 2e-4, $"{pass.Weights.All[i].Name}: the loss rises by {slope} along its gradient, whose norm is {norm}");
        }
    }

    [Fact]
    public void Backward_SingleElements_AgreeWithFiniteDifferences()
    {
        var (pass, transposed, tokens) = Create(seed: 4);
        Loss(pass, transposed, tokens);
        pass.Backward(tokens, 1f / (tokens.Length - 1));
        var random = new Random(1);

        foreach (var (parameter, gradient) in pass.Weights.All.Zip(pass.Gradients.All))
        {
            for (var sample = 0; sample < 6; sample++)
            {
                var at = random.Next(parameter.Values.Length);
                var kept = parameter.Values.Span[at];
                parameter.Values.Span[at] = kept + 0.03f;
                var above = Loss(pass, transposed, tokens);
                parameter.Values.Span[at] = kept - 0.03f;
                var below = Loss(pass, transposed, tokens);
                parameter.Values.Span[at] = kept;

                Assert.Equal(gradient.Values.Span[at], (above - below) / 0.06, 1e-4 + (0.03 * Math.Abs(gradient.Values.Span[at])));
            }
        }
    }

    [Fact]
    public void Backward_TwoSequences_AddsTheirGradients()
    {
        var (pass, transposed, tokens) = Create(seed: 5);
        Loss(pass, transposed, tokens);
        pass.Backward(tokens, 1);
        var once = pass.Gradients.All.Select(gradient => gradient.Values.Span.ToArray()).ToList();

        Loss(pass, transposed, tokens);
        pass.Backward(tokens, 1);

        foreach (var (gradient, first) in pass.Gradients.All.Zip(once))
        {
            Assert.All(first.Zip(gradient.Values.Span.ToArray()), pair => Assert.Equal(2 * pair.First, pair.Second, 1e-3f + (1e-4f * Math.Abs(pair.First))));
        }
    }

    [Theory]
    [InlineData(1, 1, 1)]
    [InlineData(6, 16, 3)]
    [InlineData(13, 37, 29)]
    [InlineData(24, 64, 100)]
    public unsafe void Multiply_AnyShape_AgreesWithThreeLoops(int m, int n, int k)
    {
        var random = new Random(m);
        FloatMemory Filled(int length)
        {
            var memory = new FloatMemory(length);
            foreach (ref var value in memory.Span)
            {
                value = (float)(random.NextDouble() - 0.5);
            }

            return memory;
        }

        FloatMemory a = Filled(m * k), b = Filled(k * n), c = Filled(m * n);
        var before = c.Span.ToArray();

        Gemm.Multiply(m, n, k, a.Pointer, 1, m, b.Pointer, n, c.Pointer, n, add: true);

        for (var i = 0; i < m; i++)
        {
            for (var j = 0; j < n; j++)
            {
                var expected = (double)before[(i * n) + j];
                for (var p = 0; p < k; p++)
                {
                    expected += (double)a.Span[(p * m) + i] * b.Span[(p * n) + j];
                }

                Assert.Equal(expected, c.Span[(i * n) + j], 1e-5);
            }
        }
    }

    private static (TrainingPass Pass, TransposedWeights Transposed, int[] Tokens) Create(int seed)
    {
        var random = new Random(seed);
        var weights = new Parameters(Shape);
        weights.Initialize(random);
        foreach (var norm in weights.All.Where(parameter => parameter.Rows == 1))
        {
            foreach (ref var value in norm.Values.Span)
            {
                value += (float)(random.NextDouble() - 0.5);
            }
        }

        var transposed = new TransposedWeights(weights);
        return (new TrainingPass(Shape, weights, transposed), transposed, [.. Enumerable.Range(0, Shape.Context + 1).Select(_ => random.Next(Shape.Vocabulary))]);
    }

    private static double Loss(TrainingPass pass, TransposedWeights transposed, int[] tokens)
    {
        transposed.Update();
        return pass.Forward(tokens) / (tokens.Length - 1);
    }
}
