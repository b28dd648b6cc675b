using System.CommandLine;
using Platform.Benchmarks.Dispatch;
using Platform.Benchmarks.Engine;
using Platform.Benchmarks.Jobs;
using Platform.Benchmarks.Tier;
using Platform.Benchmarks.Weights;

// What suites start of themselves takes no options.
switch (args)
{
    case ["host-handler"]:
        return await HostHandler.RunAsync();
    case [MemorySuite.ChildVerb, var folder]:
        return await MemorySuite.RunChildAsync(folder);
    case [StartSuite.ChildVerb, var folder]:
        return await StartSuite.RunChildAsync(folder);
    case [StartSuite.BareVerb]:
        return StartSuite.RunBare();
    default:
        return await new RootCommand("Measures the platform beside other programs, in turns in one run. What the figures mean and what they were: tests/Platform.Benchmarks/results.")
        {
            DispatchBenchmark.Command(),
            EngineSuite.Command(),
            JobsBenchmark.Command(),
            TierBenchmark.Command(),
            WeightsBenchmark.Command(),
        }.Parse(args).InvokeAsync();
}
