using System.Reflection;
using System.Reflection.Emit;
using Platform.Functions.Hosting;

namespace Platform.UnitTests.Functions;

/// <summary>Declarations that are wrong, in an assembly made for it: the app's build and its start name them all at once.</summary>
public sealed class FunctionDiscoveryTests
{
    [Fact]
    public void Find_FunctionsThatAreDeclaredWrongly_NamesEachFault()
    {
        var assembly = Declare("9lives", "host", "Twice", "twice", "NoTrigger:0", "Two:2", "Good");

        var failure = Assert.Throws<InvalidOperationException>(() => FunctionDiscovery.Find(assembly));

        var faults = failure.Message.Split(Environment.NewLine);
        Assert.Equal(5, faults.Length);
        Assert.Contains(faults, fault => fault.StartsWith("'9lives'", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.StartsWith("'host'", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Contains("'NoTrigger'", StringComparison.Ordinal) && fault.Contains("0 parameters with a trigger", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Contains("'Two'", StringComparison.Ordinal) && fault.Contains("2 parameters with a trigger", StringComparison.Ordinal));
        Assert.Contains(faults, fault => fault.Contains("declared 2 times", StringComparison.Ordinal));
    }

    [Fact]
    public void Find_FunctionsThatAreDeclaredRightly_GivesThemByName() => Assert.Equal(["Apple", "Pear"], FunctionDiscovery.Find(Declare("Pear", "Apple")).Select(function => function.Name));

    /// <summary>A class with a method per name, each with one queue trigger, or as many as stand behind a colon.</summary>
    private static AssemblyBuilder Declare(params string[] names)
    {
        var assembly = AssemblyBuilder.DefineDynamicAssembly(new AssemblyName("Declared"), AssemblyBuilderAccess.Run);
        var type = assembly.DefineDynamicModule("Declared").DefineType("Declared", TypeAttributes.Public);
        foreach (var name in names)
        {
            var triggers = name.Contains(':', StringComparison.Ordinal) ? int.Parse(name.Split(':')[1]) : 1;
            var method = type.DefineMethod(name, MethodAttributes.Public | MethodAttributes.Static, typeof(void), [.. Enumerable.Repeat(typeof(string), triggers)]);
            method.SetCustomAttribute(new CustomAttributeBuilder(typeof(FunctionAttribute).GetConstructors().Single(), [name.Split(':')[0]]));
            for (var i = 1; i <= triggers; i++)
            {
                method.DefineParameter(i, ParameterAttributes.None, $"message{i}").SetCustomAttribute(new CustomAttributeBuilder(typeof(QueueTriggerAttribute).GetConstructors().Single(), ["work"]));
            }

            method.GetILGenerator().Emit(OpCodes.Ret);
        }

        type.CreateType();
        return assembly;
    }
}
