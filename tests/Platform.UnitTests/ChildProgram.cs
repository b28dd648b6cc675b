using System.Diagnostics;
using System.Reflection;

namespace Platform.UnitTests;

/// <summary>Runs a static method of this assembly in a process of its own, so that a test can kill it at any instant.</summary>
/// <remarks>The child is this test program, told by an environment variable to run the method instead of the tests.</remarks>
internal static class ChildProgram
{
    private const string Variable = "PLATFORM_TEST_CHILD";

    /// <summary>Starts <paramref name="type"/>'s <c>static Task ChildMain(string[] args)</c>; its standard output is redirected.</summary>
    public static Process Start(Type type, params string[] args)
    {
        var start = new ProcessStartInfo("dotnet", [typeof(ChildProgram).Assembly.Location, .. args])
        {
            UseShellExecute = false,
            RedirectStandardOutput = true,
            Environment =
            {
                [Variable] = type.FullName,

                // A short life: it starts faster without the counting that would make a long one fast.
                ["DOTNET_TieredPGO"] = "0",
            },
        };
        return Process.Start(start)!;
    }

    /// <summary>Ends this process at once, as <c>kill -9</c> does.</summary>
    public static void Die() => Process.GetCurrentProcess().Kill();

    /// <summary>Runs what <see cref="Start"/> asked for; false if this process was started to run tests.</summary>
    public static async Task<bool> RunAsync(string[] args)
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } name)
        {
            return false;
        }

        var main = typeof(ChildProgram).Assembly.GetType(name, throwOnError: true)!.GetMethod("ChildMain", BindingFlags.Static | BindingFlags.NonPublic)!;
        await (Task)main.Invoke(null, [args])!;
        return true;
    }
}
