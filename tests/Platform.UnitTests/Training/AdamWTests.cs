using Platform.Worker.Training;

namespace Platform.UnitTests.Training;

public sealed class AdamWTests
{
    private static readonly TrainingShape Shape = new() { Hidden = 8, Intermediate = 12, Layers = 1, Heads = 2, KeyValueHeads = 1, Vocabulary = 260, Context = 8 };

    /// <summary>The algorithm as the paper has it (Loshchilov and Hutter 2019, algorithm 2), in doubles, with the gradient clipped to a norm of 1; gradients far above and far below that.</summary>
    [Theory]
    [InlineData(1e-4)]
    [InlineData(10)]
    public void Step_ManyTimes_IsThePapersAlgorithm(double size)
    {
        const double Rate = 1e-2, Beta1 = 0.9, Beta2 = 0.95, Epsilon = 1e-8, Decay = 0.1;
        var random = new Random(5);
        var weights = new Parameters(Shape);
        weights.Initialize(random);
        var expected = weights.All.Select(parameter => parameter.Values.Span.ToArray().Select(value => (double)value).ToArray()).ToList();
        var first = expected.Select(values => new double[values.Length]).ToList();
        var second = expected.Select(values => new double[values.Length]).ToList();
        var optimizer = new AdamW(Shape, weights);
        var gradients = new Parameters(Shape);

        for (var step = 1; step <= 5; step++)
        {
            foreach (var gradient in gradients.All)
            {
                foreach (ref var value in gradient.Values.Span)
                {
                    value = (float)((random.NextDouble() - 0.5) * size);
                }
            }

            var norm = Math.Sqrt(gradients.All.Sum(gradient => gradient.Values.Span.ToArray().Sum(value => (double)value * value)));
            Assert.Equal(norm, optimizer.Step(gradients, Rate), norm * 1e-5);
            for (var i = 0; i < expected.Count; i++)
            {
                var parameter = weights.All[i];
                var decays = parameter.Rows > 1 && parameter != weights.Embedding;
                for (var j = 0; j < expected[i].Length; j++)
                {
                    var g = gradients.All[i].Values.Span[j] / Math.Max(1, norm);
                    first[i][j] = (Beta1 * first[i][j]) + ((1 - Beta1) * g);
                    second[i][j] = (Beta2 * second[i][j]) + ((1 - Beta2) * g * g);
                    var mean = first[i][j] / (1 - Math.Pow(Beta1, step));
                    var variance = second[i][j] / (1 - Math.Pow(Beta2, step));
                    expected[i][j] -= Rate * ((mean / (Math.Sqrt(variance) + Epsilon)) + (decays ? Decay * expected[i][j] : 0));
                }
            }
        }

        Assert.All(weights.All.Zip(expected), pair => Assert.All(pair.First.Values.Span.ToArray().Zip(pair.Second), values => Assert.Equal(values.Second, values.First, 2e-5)));
    }
}
