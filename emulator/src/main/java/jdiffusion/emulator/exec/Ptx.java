package jdiffusion.emulator.exec;

import java.lang.annotation.ElementType;
import java.lang.annotation.Retention;
import java.lang.annotation.RetentionPolicy;
import java.lang.annotation.Target;

/**
 * Marks the method that computes a PTX instruction for one lane.
 *
 * <p>Values come as int (up to 32 bits and float16, extended by the operand type's sign), long, float or double; a
 * predicate is 0 or 1.
 */
@Retention(RetentionPolicy.RUNTIME)
@Target(ElementType.METHOD)
@interface Ptx {
    /** Instruction names, without the modifiers that {@link OpTable#key} drops. */
    String[] value();

    /** Types of the operands, separated by spaces; by default all are of the instruction's last type. */
    String operands() default "";

    /** Type of the result; by default the instruction's last type. */
    String result() default "";
}
