using System.Globalization;

namespace Platform.Benchmarks.Tier;

/// <summary>Paired measurements of one run as a ratio: the median of the pairs, and its 90 % bootstrap interval.</summary>
internal sealed record Ratio(string Id, double Value, double Low, double High, double Floor, double Target, bool HigherIsBetter, int Pairs, string What)
{
    private const int Resamples = 2000;

    /// <summary><c>met</c>: the target is reached; <c>floor</c>: the floor is; <c>missed</c>: not even that.</summary>
    public string Verdict => Reaches(Target) ? "met" : Reaches(Floor) ? "floor" : "missed";

    /// <summary>A ratio from pairs.</summary>
    public static Ratio Of(string id, string what, IReadOnlyList<double> pairs, double floor, double target, bool higherIsBetter)
    {
        var random = new Random(1);
        var medians = new double[Resamples];
        var sample = new double[pairs.Count];
        for (var i = 0; i < Resamples; i++)
        {
            for (var j = 0; j < sample.Length; j++)
            {
                sample[j] = pairs[random.Next(pairs.Count)];
            }

            medians[i] = Median(sample);
        }

        Array.Sort(medians);
        return new Ratio(id, Median(pairs), medians[Resamples / 20], medians[Resamples * 19 / 20], floor, target, higherIsBetter, pairs.Count, what);
    }

    /// <summary>A count, which has no spread.</summary>
    public static Ratio OfCount(string id, string what, double value, double floor, double target, bool higherIsBetter = false) =>
        new(id, value, value, value, floor, target, higherIsBetter, 1, what);

    /// <summary>One line of JSON.</summary>
    public string ToJson() => string.Create(
        CultureInfo.InvariantCulture,
        $"{{\"id\":\"{Id}\",\"value\":{Value:0.####},\"low\":{Low:0.####},\"high\":{High:0.####},\"floor\":{Floor},\"target\":{Target},\"better\":\"{(HigherIsBetter ? "higher" : "lower")}\",\"pairs\":{Pairs},\"verdict\":\"{Verdict}\",\"what\":\"{What}\"}}");

    /// <summary>One line for people.</summary>
    public override string ToString() => string.Create(
        CultureInfo.InvariantCulture,
        $"{Id,-4} {Value,10:0.###}  [{Low:0.###}, {High:0.###}]  floor {Floor}, target {Target}, {(HigherIsBetter ? "higher" : "lower")} is better, {Pairs} pairs: {Verdict,-6}  {What}");

    private bool Reaches(double bound) => HigherIsBetter ? Value >= bound : Value <= bound;

    private static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToArray();
        return sorted.Length % 2 == 1 ? sorted[sorted.Length / 2] : (sorted[(sorted.Length / 2) - 1] + sorted[sorted.Length / 2]) / 2;
    }
}
