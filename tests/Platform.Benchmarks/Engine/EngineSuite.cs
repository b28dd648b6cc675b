using System.CommandLine;
using System.Diagnostics;
using System.Text.Json;
using Platform.Worker.Engines.Kernels;
using Platform.Worker.Engines.Llama;

namespace Platform.Benchmarks.Engine;

/// <summary>Suite <c>engine</c>: decode rate of a random bf16 model beside the rate at which the same threads read the same weights and do nothing, in turn in one run (A B B A).</summary>
/// <remarks>A ratio above 1 means that the decoder, which fetches ahead row by row, gets more out of the memory than the plain reader does.</remarks>
internal static class EngineSuite
{
    private const int StepsPerPass = 8;

    public static Command Command()
    {
        var rounds = BenchmarkOptions.Count("--rounds", "Rounds of each count of threads", 10);
        var command = new Command("engine", "Decoding beside reading the same weights.") { BenchmarkOptions.Json, rounds };
        command.SetAction((options, _) => RunAsync(options.GetValue(rounds), options.GetValue(BenchmarkOptions.Json)));
        return command;
    }

    private static async Task<int> RunAsync(int rounds, bool json)
    {
        var threadCounts = new[] { 1, Environment.ProcessorCount }.Distinct().ToArray();
        var model = new RandomLlama(hidden: 1024, intermediate: 2816, layers: 8, heads: 16, keyValueHeads: 4, vocabulary: 32_000);
        var results = new List<Dictionary<string, object>>();
        foreach (var threads in threadCounts)
        {
            results.Add(await MeasureAsync(model, threads, rounds));
        }

        if (json)
        {
            Console.WriteLine(JsonSerializer.Serialize(new { suite = "engine", parameters = model.ParameterCount, bytesPerToken = model.BytesPerToken, simd = Simd.Describe(Simd.Best), results }));
            return 0;
        }

        Console.WriteLine($"{model.ParameterCount / 1e6:0} M parameters, {model.BytesPerToken / 1e6:0} MB of weights per token, {Simd.Describe(Simd.Best)}");
        foreach (var result in results)
        {
            Console.WriteLine(string.Join("  ", result.Select(entry => $"{entry.Key} {entry.Value}")));
        }

        return 0;
    }

    private static async Task<Dictionary<string, object>> MeasureAsync(RandomLlama model, int threads, int rounds)
    {
        using var weights = LlamaWeights.Start(model.Config, model.Tensors, CancellationToken.None);
        await weights.Loaded;
        using var team = new ThreadTeam(threads);
        using var reader = new MemoryReader(model.Matrices(), team);
        using var decoder = new LlamaDecoder(model.Config, weights, Kernel.For(Simd.Best), team, 64, 8);
        Read(reader);
        Decode(model, decoder, 1);

        List<double> ratios = [], decode = [], read = [], together = [];
        for (var round = 0; round < rounds; round++)
        {
            var before = Read(reader);
            var first = Decode(model, decoder, 1);
            var second = Decode(model, decoder, 1);
            var after = Read(reader);
            ratios.Add((before + after) / (first + second));
            read.Add(2 * reader.LengthBytes * StepsPerPass / (before + after) / 1e9);
            decode.Add(2 * StepsPerPass / (first + second));
            together.Add(8 * StepsPerPass / Decode(model, decoder, 8));
        }

        return new Dictionary<string, object>
        {
            ["threads"] = threads,
            ["decodeTokensPerSecond"] = Math.Round(Median(decode), 1),
            ["readGBPerSecond"] = Math.Round(Median(read), 2),
            ["decodeOfReadRate"] = Math.Round(Median(ratios), 3),
            ["decodeOfReadRateLow"] = Math.Round(ratios.Min(), 3),
            ["decodeOfReadRateHigh"] = Math.Round(ratios.Max(), 3),
            ["eightTextsTokensPerSecond"] = Math.Round(Median(together), 1),
        };
    }

    /// <summary>Seconds to read all weights <see cref="StepsPerPass"/> times.</summary>
    private static double Read(MemoryReader reader)
    {
        var start = Stopwatch.GetTimestamp();
        for (var i = 0; i < StepsPerPass; i++)
        {
            reader.Run();
        }

        return Stopwatch.GetElapsedTime(start).TotalSeconds;
    }

    /// <summary>Seconds for as many steps, each a token further in every text.</summary>
    private static double Decode(RandomLlama model, LlamaDecoder decoder, int texts)
    {
        var caches = Enumerable.Range(0, texts).Select(_ => new KeyValueCache(model.Config, StepsPerPass)).ToArray();
        var start = Stopwatch.GetTimestamp();
        for (var position = 0; position < StepsPerPass; position++)
        {
            decoder.Step([.. caches.Select((cache, i) => new StepRow('a' + i, position, cache, WantsLogits: true))]);
        }

        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        foreach (var cache in caches)
        {
            cache.Dispose();
        }

        return seconds;
    }

    private static double Median(List<double> values)
    {
        var sorted = values.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
