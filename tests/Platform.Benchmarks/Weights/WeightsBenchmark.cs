using System.Globalization;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.Weights;

namespace Platform.Benchmarks.Weights;

/// <summary>Suite <c>weights</c>: a model from object storage, NVMe and host memory to a first token, beside the limits of the same machine in the same run (A B B A).</summary>
/// <remarks><c>weights [--json] [--only R14,R16] [--pairs N] [--folder PATH] [--large] [--parallelism N] [--published FOLDER]</c>. The model is a random bf16 Llama of 117 M parameters, or of 900 M with <c>--large</c>; <c>--parallelism</c> is for loads onto a CUDA device; the device is host memory unless a line says otherwise.</remarks>
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

    internal static async Task<int> RunAsync(string[] args)
    {
        var only = (Option(args, "--only") ?? "").Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (only.Except(Suites.SelectMany(suite => suite.Ids)).ToList() is { Count: > 0 } unknown)
        {
            await Console.Error.WriteLineAsync($"No ratio is called {string.Join(", ", unknown)}; there are {string.Join(", ", Suites.SelectMany(suite => suite.Ids))}.");
            return 64;
        }

        var folder = Path.Combine(Option(args, "--folder") ?? Path.GetTempPath(), $"platform-weights-bench-{Environment.ProcessId}");
        var pairs = Option(args, "--pairs") is { } text ? int.Parse(text, CultureInfo.InvariantCulture) : 11;
        Directory.CreateDirectory(folder);
        try
        {
            var run = await WeightsRun.PrepareAsync(folder, pairs, args.Contains("--large")) with { Published = Option(args, "--published") };
            if (Option(args, "--parallelism") is { } chunks)
            {
                run = run with { Stager = new ModelStagerOptions { Parallelism = int.Parse(chunks, CultureInfo.InvariantCulture) } };
            }

            await Console.Error.WriteLineAsync($"{run.Files.Files.Sum(file => file.LengthBytes) / 1e6:0} MB, {Environment.ProcessorCount} CPUs, peer: {RawDisk.Name}");
            foreach (var suite in Suites.Where(suite => only.Length == 0 || suite.Ids.Intersect(only).Any()))
            {
                await foreach (var ratio in suite.Run(run))
                {
                    Console.WriteLine(args.Contains("--json") ? ratio.ToJson() : ratio.ToString());
                }
            }

            return 0;
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string? Option(string[] args, string name) => Array.IndexOf(args, name) is >= 0 and var at && at + 1 < args.Length ? args[at + 1] : null;
}
