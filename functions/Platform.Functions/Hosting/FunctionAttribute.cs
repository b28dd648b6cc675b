namespace Platform.Functions.Hosting;

/// <summary>Marks a method as a function: the host calls it whenever its trigger fires.</summary>
/// <param name="name">Name of the function: a letter, then at most 127 letters, digits, <c>_</c> or <c>-</c>; unique in the app.</param>
[AttributeUsage(AttributeTargets.Method)]
public sealed class FunctionAttribute(string name) : Attribute
{
    /// <summary>The function's name, which is the name of its folder and of its envelope route.</summary>
    public string Name { get; } = name;
}
