using Platform.Benchmarks.Dispatch;
using Platform.Benchmarks.Engine;
using Platform.Benchmarks.Tier;

switch (args)
{
    case ["dispatch", .. var rest]:
        return await DispatchBenchmark.RunAsync(rest);
    case ["host-handler"]:
        return await HostHandler.RunAsync();
    case ["engine", .. var rest]:
        return await EngineSuite.RunAsync(rest);
    case ["tier", .. var rest]:
        return await TierBenchmark.RunAsync(rest);
    case [MemorySuite.ChildVerb, var folder]:
        return await MemorySuite.RunChildAsync(folder);
    default:
        Console.Error.WriteLine("Usage: dotnet run -c Release --project tests/Platform.Benchmarks -- <suite> [--json]\nSuites: dispatch, engine, tier");
        return 64;
}
