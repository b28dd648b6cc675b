using Platform.Benchmarks.Dispatch;
using Platform.Benchmarks.Engine;
using Platform.Benchmarks.Jobs;
using Platform.Benchmarks.Tier;
using Platform.Benchmarks.Weights;

switch (args)
{
    case ["dispatch", .. var rest]:
        return await DispatchBenchmark.RunAsync(rest);
    case ["host-handler"]:
        return await HostHandler.RunAsync();
    case ["engine", .. var rest]:
        return await EngineSuite.RunAsync(rest);
    case ["jobs", .. var rest]:
        return await JobsBenchmark.RunAsync(rest);
    case ["tier", .. var rest]:
        return await TierBenchmark.RunAsync(rest);
    case [MemorySuite.ChildVerb, var folder]:
        return await MemorySuite.RunChildAsync(folder);
    case ["weights", .. var rest]:
        return await WeightsBenchmark.RunAsync(rest);
    case [StartSuite.ChildVerb, var folder]:
        return await StartSuite.RunChildAsync(folder);
    case [StartSuite.BareVerb]:
        return StartSuite.RunBare();
    default:
        Console.Error.WriteLine("Usage: dotnet run -c Release --project tests/Platform.Benchmarks -- <suite> [--json]\nSuites: dispatch, engine, jobs, tier, weights");
        return 64;
}
