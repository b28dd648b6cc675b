using System.Diagnostics;
using System.Globalization;
using Platform.Benchmarks.Tier;
using Platform.DataPlane.DeviceMemory;
using Platform.DataPlane.DeviceMemory.Host;
using Platform.DataPlane.Weights;
using Platform.Worker.Engines;
using Platform.Worker.Engines.Llama;

namespace Platform.Benchmarks.Weights;

/// <summary>R20, R21: from the start of a process to a model's first token, its weights on NVMe, beside a process that does nothing, and beside the same model waking from host memory.</summary>
/// <remarks>Both processes are this program, as the build leaves it or, with <c>--published FOLDER</c>, as it was published. The process opens the tier, stages the model onto the device and runs the engine; HTTP, sidecar and placement are not part of it.</remarks>
internal static class StartSuite
{
    /// <summary>Verb of the process that loads.</summary>
    public const string ChildVerb = "weights-start";

    /// <summary>Verb of the process that does nothing.</summary>
    public const string BareVerb = "weights-bare";

    private const string Ready = "ready";
    private const int Wakes = 5;

    public static async IAsyncEnumerable<Ratio> RunAsync(WeightsRun run)
    {
        string path;
        await using (var tier = await WeightsRun.OpenTierAsync(run.Folder))
        {
            await run.SealAsync(tier);
            await using var file = await run.WeightsFileAsync(tier);
            path = file.FilePath;
            await WeightsRun.RawReadAsync(path);
        }

        List<double> overheads = [], wakes = [], colds = [], bares = [], raws = [];
        for (var pair = 0; pair < run.Pairs; pair++)
        {
            // The disk's speed wanders from second to second by more than what is measured here: each pair has its own limit.
            var first = pair % 2 == 0 ? await PeersAsync() : default;
            var (cold, after) = await StartAsync(run, ChildVerb, run.Folder);
            var (bare, raw) = pair % 2 == 0 ? first : await PeersAsync();
            overheads.Add((cold - raw) / bare);
            colds.Add(cold);
            bares.Add(bare);
            raws.Add(raw);
            wakes.AddRange(after.Select(wake => cold / wake));
        }

        async Task<(double Bare, double Raw)> PeersAsync() => ((await StartAsync(run, BareVerb)).Seconds, run.TotalBytes / (await WeightsRun.RawReadAsync(path)).BytesPerSecond);

        var figures = string.Create(CultureInfo.InvariantCulture, $"medians {Median(colds):0}, {Median(raws):0} and {Median(bares):0} ms");
        yield return Ratio.Of("R20", $"process start to first token, beyond bytes / raw disk, / a bare process's start; {figures}", overheads, 2.0, 1.1, higherIsBetter: false);
        yield return Ratio.Of("R21", "process start to first token / wake from host memory to first token", wakes, 10, 50, higherIsBetter: true);
    }

    /// <summary>Loads, says so at the first token, then sleeps and wakes a few times and prints how long each took.</summary>
    public static async Task<int> RunChildAsync(string folder)
    {
        var files = await WeightsRun.FilesAsync(WeightsRun.Storage(folder));
        var bytes = files.Files.Sum(file => file.LengthBytes);
        await using var tier = await WeightsRun.OpenTierAsync(folder);
        using var accelerator = new HostAccelerator(new HostAcceleratorOptions { CapacityBytes = 2 * bytes, KeptBytes = 2 * bytes });
        var arena = new DeviceArena(accelerator);
        using var images = new HostImages(2 * bytes, accelerator.AllocatePinned);
        var stager = new ModelStager(tier, null, null, images);
        await FirstTokenAsync(stager, arena, files, bytes, () => Console.WriteLine(Ready));
        for (var wake = 0; wake < Wakes; wake++)
        {
            var started = Stopwatch.GetTimestamp();
            await FirstTokenAsync(stager, arena, files, bytes, () => Console.WriteLine(Stopwatch.GetElapsedTime(started).TotalSeconds.ToString(CultureInfo.InvariantCulture)));
        }

        return 0;
    }

    /// <summary>Says that it is there.</summary>
    public static int RunBare()
    {
        Console.WriteLine(Ready);
        return 0;
    }

    private static async Task FirstTokenAsync(ModelStager stager, DeviceArena arena, ModelFiles files, long bytes, Action first)
    {
        using var room = arena.Reserve(WeightsRun.Model, bytes, static _ => { });
        await using var staged = await stager.StageAsync(files, room);
        await using var engine = LlamaEngine.Start(staged.ConfigJson, staged.TokenizerJson, staged.Tensors, new LlamaEngineOptions { ThreadCount = Environment.ProcessorCount });
        await foreach (var _ in engine.GenerateAsync(new GenerationRequest { Prompt = "a", MaxTokens = 1 }))
        {
            first();
        }

        await staged.Completion;
    }

    private static double Median(List<double> seconds) => seconds.Order().ElementAt(seconds.Count / 2) * 1000;

    private static async Task<(double Seconds, List<double> Lines)> StartAsync(WeightsRun run, params string[] arguments)
    {
        var start = run.Published is { } folder
            ? new ProcessStartInfo(Path.Combine(folder, "Platform.Benchmarks"), arguments)
            : new ProcessStartInfo("dotnet", [typeof(StartSuite).Assembly.Location, .. arguments]);
        (start.UseShellExecute, start.RedirectStandardOutput) = (false, true);
        var started = Stopwatch.GetTimestamp();
        using var child = Process.Start(start)!;
        var ready = await child.StandardOutput.ReadLineAsync();
        var seconds = Stopwatch.GetElapsedTime(started).TotalSeconds;
        var rest = await child.StandardOutput.ReadToEndAsync();
        await child.WaitForExitAsync();
        return ready == Ready
            ? (seconds, [.. rest.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(line => double.Parse(line, CultureInfo.InvariantCulture))])
            : throw new InvalidOperationException($"The process '{arguments[0]}' did not get ready.");
    }
}
