using System.CommandLine;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>Suite <c>weights</c>: a model from object storage, NVMe and host memory to a first token, beside the limits of the same machine in the same run (A B B A).</summary>
/// <remarks>The model is a random bf16 Llama of 117 M parameters, or of 900 M with <c>--large</c>; <c>--parallelism</c> is for loads onto a CUDA device; the device is host memory unless a line says otherwise.</remarks>
internal static class WeightsBenchmark
{
    private static readonly (string[] Ids, Func<WeightsRun, IAsyncEnumerable<Ratio>> Run)[] Suites =
    [
        (["R14", "R15", "R18"], LoadSuite.RunAsync),
        (["R16"], WakeSuite.RunAsync),
        (["R40"], CudaSuite.RunAsync),
        (["R17"], NetworkSuite.RunAsync),
        (["R22"], PredictionSuite.RunAsync),
        (["R20", "R21"], StartSuite.RunAsync),
    ];

    public static Command Command()
    {
        var only = BenchmarkOptions.Only("ratios", [.. Suites.SelectMany(suite => suite.Ids)]);
        var pairs = BenchmarkOptions.Count("--pairs", "Pairs of loads", 11);
        var folder = BenchmarkOptions.Folder();
        var large = new Option<bool>("--large") { Description = "A model of 900 M parameters instead of 117 M" };
        var parallelism = BenchmarkOptions.Count("--parallelism", "Chunks at once of a load onto a CUDA device", new ModelStagerOptions().Parallelism);
        var published = new Option<string?>("--published") { Description = "This program as it was published, for R20 and R21; without it, as it was built" };
        var command = new Command("weights", "A model from object storage, NVMe and host memory to a first token.") { BenchmarkOptions.Json, only, pairs, folder, large, parallelism, published };
        command.SetAction(async (options, _) =>
        {
            var own = Path.Combine(options.GetValue(folder)!, $"platform-weights-bench-{Environment.ProcessId}");
            Directory.CreateDirectory(own);
            try
            {
                var run = await WeightsRun.PrepareAsync(own, options.GetValue(pairs), options.GetValue(large)) with
                {
                    Published = options.GetValue(published),
                    Stager = new ModelStagerOptions { Parallelism = options.GetValue(parallelism) },
                };
                return await RunAsync(options.GetValue(only)!, run, options.GetValue(BenchmarkOptions.Json));
            }
            finally
            {
                Directory.Delete(own, recursive: true);
            }
        });
        return command;
    }

    private static async Task<int> RunAsync(string[] only, WeightsRun run, bool json)
    {
        await Console.Error.WriteLineAsync($"{run.Files.Files.Sum(file => file.LengthBytes) / 1e6:0} MB, {Environment.ProcessorCount} CPUs, peer: {RawDisk.Name}");
        foreach (var suite in Suites.Where(suite => only.Length == 0 || suite.Ids.Intersect(only).Any()))
        {
            await foreach (var ratio in suite.Run(run))
            {
                Console.WriteLine(json ? ratio.ToJson() : ratio.ToString());
            }
        }

        return 0;
    }
}
